"""Run a handful of candles with given signals, for docs and tests."""
