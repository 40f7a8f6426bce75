"""Commands that load, import, check and describe candles."""
