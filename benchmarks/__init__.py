"""Measured claims: every speed that the project states, from one command (`make bench`)."""
