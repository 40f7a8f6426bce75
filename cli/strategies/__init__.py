"""Commands of strategies, indicators and models."""
