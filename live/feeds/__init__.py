"""Streams of closed candles, one module per kind of market."""
