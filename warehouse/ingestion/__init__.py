"""Load candles and corporate actions from sources into raw tables."""
