"""Commands of paper and live trading."""
