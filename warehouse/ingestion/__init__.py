"""Load candles and corporate actions from sources into the raw tables."""
