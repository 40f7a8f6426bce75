"""Storms: scenes are published while processes are killed; then the history is held to account."""
