"""Trend following by two simple moving averages."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators
from backtests.signals import MeanCross
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Whole


class SmaCross(Part):
    """The two means."""

    fast: Whole = Field(10, ge=1, description="candles in the fast mean")
    slow: Whole = Field(30, ge=1, description="candles in the slow mean, more than in the fast one")

    @model_validator(mode="after")
    def _fast_below_slow(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, but {self.fast} ≥ {self.slow}")
        return self


@strategy(SmaCross, warmup=lambda params: params.slow)
def sma_cross(candles: Candles, params: SmaCross, indicators: Indicators) -> MeanCross:  # noqa: ARG001
    """Enter when the fast mean of closes crosses above the slow one, exit when below."""
    return MeanCross(params.fast, params.slow, indicators.sma)
