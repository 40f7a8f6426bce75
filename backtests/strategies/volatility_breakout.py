"""Following a candle that goes farther than candles of late."""

import numpy as np
from numba import njit
from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Bool, Float, Signals
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class VolatilityBreakout(Part):
    """What is usual, and how much more is unusual."""

    period: Whole = Field(14, ge=1, le=50_000, description="candles in the average true range")
    factor: Real = Field(1.0, gt=0, le=1_000, description="true ranges that a close must go")


@strategy(VolatilityBreakout, warmup=lambda params: warmup_of("atr", params.period) + 1)
def volatility_breakout(
    candles: Candles, params: VolatilityBreakout, indicators: Indicators
) -> Signals:
    """Enter on a close more than so many true ranges above the last one, exit on one below it."""
    return Signals(*_breakouts(candles.close, indicators.atr(params.period), params.factor))


@njit(cache=True, nogil=True, error_model="numpy")
def _breakouts(close: Float, atr: Float, factor: float) -> tuple[Bool, Bool]:
    """Tell which closes are that far above, and below, the one before, by the ATR before."""
    above = np.zeros(len(close), dtype=np.bool_)
    below = np.zeros(len(close), dtype=np.bool_)
    for bar in range(1, len(close)):
        width = factor * atr[bar - 1]
        above[bar] = close[bar] > close[bar - 1] + width
        below[bar] = close[bar] < close[bar - 1] - width
    return above, below
