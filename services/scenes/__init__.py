"""Scenes: publish, check, follow, cancel, schedule and show them."""
