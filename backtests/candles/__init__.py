"""The candles of a run: cut, checked, scanned once, and aligned for portfolios."""
