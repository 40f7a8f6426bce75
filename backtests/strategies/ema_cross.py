"""Trend following by two exponential moving averages."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Cross
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Whole


class EmaCross(Part):
    """The two averages."""

    fast: Whole = Field(12, ge=2, le=100_000, description="candles in the fast average")
    slow: Whole = Field(
        26, ge=2, le=100_000, description="candles in the slow average, more than in the fast one"
    )

    @model_validator(mode="after")
    def _fast_below_slow(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, but {self.fast} ≥ {self.slow}")
        return self


@strategy(EmaCross, warmup=lambda params: warmup_of("ema", params.slow) + 1)
def ema_cross(candles: Candles, params: EmaCross, indicators: Indicators) -> Cross:  # noqa: ARG001
    """Enter when the fast exponential average crosses above the slow one, exit when below."""
    return Cross(indicators.ema(params.fast), indicators.ema(params.slow))
