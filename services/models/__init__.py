"""Models of forecasts: train and choose them, and keep their files."""
