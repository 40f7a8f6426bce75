"""The turtles' rule: buy the highest price of so many candles, leave at the lowest of fewer."""

from typing import Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Bool, Float, Signals
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Whole


class DonchianBreakout(Part):
    """The two channels."""

    entry: Whole = Field(20, ge=2, le=100_000, description="candles in the channel to break out of")
    exit: Whole = Field(
        10, ge=2, le=100_000, description="candles in the channel that ends it, at most entry's"
    )

    @model_validator(mode="after")
    def _exit_within_entry(self) -> Self:
        if self.exit > self.entry:
            raise ValueError(f"exit must not be above entry, but {self.exit} > {self.entry}")
        return self


@strategy(DonchianBreakout, warmup=lambda params: warmup_of("donchian", params.entry) + 1)
def donchian_breakout(
    candles: Candles, params: DonchianBreakout, indicators: Indicators
) -> Signals:
    """Enter on a close beyond the candles before it, exit on one beyond fewer the other way."""
    wide, narrow = indicators.donchian(params.entry), indicators.donchian(params.exit)
    return Signals(
        enter=_above_before(candles.close, wide.upper),
        exit=_below_before(candles.close, narrow.lower),
        enter_short=_below_before(candles.close, wide.lower),
        exit_short=_above_before(candles.close, narrow.upper),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _above_before(close: Float, level: Float) -> Bool:
    """Tell which closes are above the level of the candle before."""
    above = np.zeros(len(close), dtype=np.bool_)
    for bar in range(1, len(close)):
        above[bar] = close[bar] > level[bar - 1]
    return above


@njit(cache=True, nogil=True, error_model="numpy")
def _below_before(close: Float, level: Float) -> Bool:
    """Tell which closes are below the level of the candle before."""
    below = np.zeros(len(close), dtype=np.bool_)
    for bar in range(1, len(close)):
        below[bar] = close[bar] < level[bar - 1]
    return below
