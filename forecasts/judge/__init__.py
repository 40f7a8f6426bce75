"""Judge a forecast: as a forecast, and as money, beside baselines."""
