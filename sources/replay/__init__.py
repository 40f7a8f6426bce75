"""A loopback server that answers with packaged candles as Binance and Yahoo would."""
