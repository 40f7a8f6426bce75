"""Columns that many features start from, computed once for each series: logarithms and returns."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit

from forecasts.features.definition import Float, Reading

Column = Literal["open", "high", "low", "close"]


def log_of(reading: Reading, column: Column) -> Float:
    """Return the natural logarithm of a price, (n,) float64."""
    return reading.once(("log", column), lambda: np.log(getattr(reading.candles, column)))


def log_close(reading: Reading) -> Float:
    """Return the natural logarithm of the close, (n,) float64."""
    return log_of(reading, "close")


def log_volume(reading: Reading) -> Float:
    """Return the natural logarithm of 1 + volume, (n,) float64: 0 where nothing was traded."""
    return reading.once("log_volume", lambda: np.log1p(reading.candles.volume))


def log_returns(reading: Reading) -> Float:
    """Return the logarithm of each close over the one before, (n,) float64, NaN first."""

    def make() -> Float:
        close = log_close(reading)
        return close - shifted(close, 1)

    return reading.once("log_returns", make)


def shifted(values: Float, count: int) -> Float:
    """Return the values of `count` candles before, NaN where there are none."""
    moved = np.empty(len(values))
    moved[:count] = np.nan
    moved[count:] = values[: max(len(values) - count, 0)]
    return moved


@njit(cache=True, nogil=True, error_model="numpy")
def share(part: Float, whole: Float, otherwise: float) -> Float:
    """Return part / whole, and `otherwise` where the whole is 0, (n,) float64."""
    found = np.empty(len(part))
    for bar in range(len(part)):
        found[bar] = otherwise if whole[bar] == 0.0 else part[bar] / whole[bar]
    return found
