"""How good a forecast is: as a forecast, and as money, beside baselines."""
