"""Brokers outside this process, one module each."""
