"""All kinds of models, registered by importing the modules that define them."""

from __future__ import annotations

from forecasts.models import lightgbm, linear, random_forest, xgboost
from forecasts.models.definition import MODELS

__all__ = ["MODELS"]
MODULES = (linear, random_forest, xgboost, lightgbm)
