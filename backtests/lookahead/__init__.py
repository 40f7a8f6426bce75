"""Lookahead detection: run strategies on truncated candles and compare."""
