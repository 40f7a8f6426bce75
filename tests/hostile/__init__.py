"""Hostile messages: a seeded generator, and what every reader of a topic does with them."""
