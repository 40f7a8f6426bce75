"""Paper and live trading: one engine over one log, candle by candle."""
