"""Buying what is far below its mean, in standard deviations."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class ZscoreReversion(Part):
    """The mean, and two distances from it."""

    period: Whole = Field(20, ge=2, le=100_000, description="closes in the mean")
    entry: Real = Field(2.0, gt=0, le=100, description="enter this many deviations off the mean")
    exit: Real = Field(
        0.0, ge=0, le=100, description="exit within this many deviations of it, fewer than entry"
    )

    @model_validator(mode="after")
    def _exit_within_entry(self) -> Self:
        if self.exit >= self.entry:
            raise ValueError(f"exit must be below entry, but {self.exit} ≥ {self.entry}")
        return self


@strategy(ZscoreReversion, warmup=lambda params: warmup_of("zscore", params.period) + 1)
def zscore_reversion(candles: Candles, params: ZscoreReversion, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter when the z-score falls below -entry (short: rises above entry), exit near the mean."""
    score = indicators.zscore(params.period)
    return Signals(
        enter=crosses_below(score, -params.entry),
        exit=crosses_above(score, -params.exit),
        enter_short=crosses_above(score, params.entry),
        exit_short=crosses_below(score, params.exit),
    )
