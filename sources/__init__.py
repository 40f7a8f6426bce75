"""Market-data services behind one protocol: a request in, closed candles out."""
