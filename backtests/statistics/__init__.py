"""Honest statistics of a search: pure functions of arrays, without I/O, seeded where they draw."""
