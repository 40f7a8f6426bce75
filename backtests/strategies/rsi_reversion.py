"""Buying weakness by Wilder's relative strength index."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class RsiReversion(Part):
    """The index and its two levels."""

    period: Whole = Field(14, ge=2, description="candles in the index")
    lower: Real = Field(30, gt=0, lt=100, description="enter when the index falls below this level")
    upper: Real = Field(70, gt=0, lt=100, description="exit when the index rises above this level")

    @model_validator(mode="after")
    def _lower_below_upper(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower must be below upper, but {self.lower} ≥ {self.upper}")
        return self


@strategy(RsiReversion, warmup=lambda params: 20 * params.period)
def rsi_reversion(candles: Candles, params: RsiReversion, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter when the RSI falls below its lower level, exit when it rises above its upper one."""
    rsi = indicators.rsi(params.period)
    return Signals(enter=crosses_below(rsi, params.lower), exit=crosses_above(rsi, params.upper))
