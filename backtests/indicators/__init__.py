"""Indicators by name: TA-Lib's, seeding and rounding included, and a few that it lacks."""

from backtests.indicators.cached import Indicators, computed
from backtests.indicators.definition import Indicator, Line, Parameter
from backtests.indicators.keeper import CACHE_BYTES, Computed
from backtests.indicators.registry import INDICATORS, warmup_of

__all__ = [
    "CACHE_BYTES",
    "INDICATORS",
    "Computed",
    "Indicator",
    "Indicators",
    "Line",
    "Parameter",
    "computed",
    "warmup_of",
]
