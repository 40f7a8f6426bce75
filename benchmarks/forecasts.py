"""Forecasts: features against pandas, and how long models take to answer."""

from __future__ import annotations

from rich.console import Console

from benchmarks.forecast_features import features
from benchmarks.forecast_serving import serving
from benchmarks.rows import Row


def measure(console: Console) -> list[Row]:
    """Measure all rows of the forecasts."""
    console.print("bench forecasts: features …")
    computed = features()
    console.print("bench forecasts: models …")
    return [computed, *serving()]
