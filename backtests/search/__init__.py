"""Searches: how parameter sets are proposed, and the report on what was found."""
