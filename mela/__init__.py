"""The shared language of every room: scenes, runs, results and candles. No input or output here."""

__version__ = "0.1.0"
