"""All features, registered by importing the modules that define them."""

from __future__ import annotations

from forecasts.features import prices

MODULES = (prices,)
