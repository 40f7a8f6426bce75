"""All features, registered by importing the modules that define them."""

from __future__ import annotations

from forecasts.features import anchored, clock, joined, prices, volatility, volumes

MODULES = (prices, volatility, volumes, clock, joined, anchored)
