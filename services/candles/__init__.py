"""Candles: load, import, check and describe them, and the instruments that they belong to."""
