"""Scenes: what was published, what recurs, and who publishes."""
