"""Retention: what is removed from old scenes, what stays, and how readers see it."""
