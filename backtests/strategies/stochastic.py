"""Buying weakness that turns, by the stochastic oscillator."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crossings
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class Stochastic(Part):
    """The oscillator and its two levels."""

    period: Whole = Field(14, ge=1, le=100_000, description="candles looked back")
    slowing: Whole = Field(3, ge=1, le=100_000, description="candles in the mean that is k")
    signal: Whole = Field(3, ge=1, le=100_000, description="candles in the mean of k that is d")
    lower: Real = Field(20.0, gt=0, lt=100, description="enter only where d is below this level")
    upper: Real = Field(80.0, gt=0, lt=100, description="exit only where d is above this level")

    @model_validator(mode="after")
    def _lower_below_upper(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower must be below upper, but {self.lower} ≥ {self.upper}")
        return self


def _warmup(params: Stochastic) -> int:
    return warmup_of("stochastic", params.period, params.slowing, params.signal) + 1


@strategy(Stochastic, warmup=_warmup)
def stochastic(candles: Candles, params: Stochastic, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter when k crosses above a low d, exit when k crosses below a high d."""
    k, d = indicators.stochastic(params.period, params.slowing, params.signal)
    rises, falls = crossings(k, d)
    return Signals(enter=rises & (d < params.lower), exit=falls & (d > params.upper))
