"""A run's return in each month, and its Sharpe ratio of the last periods, along the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCandles
from backtests.metrics.returns import sharpe
from backtests.search.period_returns import period_ends_of, returns_of
from mela.result import Curve

Float = NDArray[np.float64]
LEAST_PERIODS = 20  # in a window; the ratio of fewer says little
WINDOWS = 3  # the span holds at least so many


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """Returns by UTC month.

    values: (years, 12) float64, NaN outside the run; totals: (years,) float64
    """

    years: tuple[int, ...]
    values: Float
    totals: Float

    @property
    def largest(self) -> float:
        """Return the largest return of a month, either way, from which colours are measured."""
        return float(np.nanmax(np.abs(self.values)))


@dataclass(frozen=True, slots=True, eq=False)
class RollingSharpe:
    """The annualised Sharpe ratio of the last `window` periods.

    times_ms, values: (k,) the openings of the last candles of periods; NaN where returns are equal
    """

    window: int
    times_ms: NDArray[np.int64]
    values: Float


def months_of(curve: Curve, cash: float) -> Months | None:
    """Return the returns of each month, from one month's last close to the next one's.

    The first month begins with the cash, and the last one ends with the run.
    returns: None for a run within one month
    """
    month = curve.opened_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(month) != 0, True))
    if len(last) < 2:
        return None
    closes = np.concatenate(([cash], curve.equity[last]))
    returns = closes[1:] / closes[:-1] - 1.0
    first_year = 1970 + int(month[0] // 12)
    years = tuple(range(first_year, 1971 + int(month[-1] // 12)))
    values = np.full((len(years), 12), np.nan)
    values[1970 + month[last] // 12 - first_year, month[last] % 12] = returns
    totals = np.nanprod(1.0 + values, axis=1) - 1.0
    totals[np.isnan(values).all(axis=1)] = np.nan
    return Months(years, values, totals)


def rolling_sharpe_of(curve: Curve, span: PreparedCandles, cash: float) -> RollingSharpe | None:
    """Return the Sharpe ratio of each window of a quarter of a year, or of a third of the run.

    The periods and the ratio are those of the metrics.
    returns: None where a third of the run has fewer than LEAST_PERIODS periods
    """
    returns = returns_of(curve, span, cash)
    window = min(round(span.periods_per_year / 4), len(returns) // WINDOWS)
    if window < LEAST_PERIODS:
        return None
    ends = period_ends_of(curve, span)[window - 1 :]
    parts = np.lib.stride_tricks.sliding_window_view(returns, window)
    values = np.array([sharpe(np.ascontiguousarray(p), span.periods_per_year) for p in parts])
    return RollingSharpe(window, curve.opened_ms[ends], values)
