"""Runs and their results: read, draw, compare and recompute them."""
