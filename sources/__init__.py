"""Market-data services behind one protocol: a request goes in, closed candles come out."""
