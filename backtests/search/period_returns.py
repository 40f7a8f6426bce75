"""The returns of a curve by period, and its trades in other orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCandles
from backtests.statistics.montecarlo import PATHS, TradeShuffle, shuffle_trades, trade_returns
from mela.result import Curve
from mela.run import Run

Float = NDArray[np.float64]


def returns_of(curve: Curve, span: PreparedCandles, cash: float) -> Float:
    """Return the period returns of a curve, as its metrics have them."""
    closes = np.concatenate(([cash], curve.equity[period_ends_of(curve, span)]))
    return closes[1:] / closes[:-1] - 1.0


def period_ends_of(curve: Curve, span: PreparedCandles) -> NDArray[np.int64]:
    """Return the last bar of each period of a curve: (m,) int64."""
    bars = len(curve.equity)
    ends = span.ends[span.ends < bars]
    if len(ends) < len(span.ends):  # ruined: the period of that candle is the last one
        ends = np.append(ends, bars - 1) if bars - 1 not in ends else ends
    return ends


def shuffled(
    run: Run, curve: Curve, *, shuffles: int = PATHS, seed: int = 0
) -> TradeShuffle | None:
    """Return a run's trades in other orders; None without trades, or where they lost all cash."""
    profits = np.array([trade.profit for trade in curve.trades])
    if not len(profits) or not np.all(run.cash + np.cumsum(profits) > 0.0):
        return None
    return shuffle_trades(trade_returns(profits, run.cash), shuffles=shuffles, seed=seed)
