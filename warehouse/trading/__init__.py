"""Sessions of trading: their log, what follows from it, commands and the kill switch."""
