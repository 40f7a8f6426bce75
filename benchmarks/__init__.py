"""Measured claims: one command (`make bench`) measures every speed that the project states."""
