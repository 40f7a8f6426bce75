"""Strategies: find, describe and check them for lookahead, and begin a new one."""
