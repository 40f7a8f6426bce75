"""Forecasts: features, labels, splits, models, their judgement, and their registry."""
