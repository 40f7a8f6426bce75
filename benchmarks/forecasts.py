"""Forecasts: features against pandas."""

from __future__ import annotations

from rich.console import Console

from benchmarks.forecast_features import features
from benchmarks.rows import Row


def measure(console: Console) -> list[Row]:
    """Measure all rows of the forecasts."""
    console.print("bench forecasts: features …")
    return [features()]
