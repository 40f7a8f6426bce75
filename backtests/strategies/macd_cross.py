"""Momentum of a trend: MACD against its own average."""

from typing import Self

from pydantic import Field, model_validator

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Cross
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Whole


class MacdCross(Part):
    """The two averages, and that of their difference."""

    fast: Whole = Field(12, ge=2, le=100_000, description="candles in the fast average")
    slow: Whole = Field(
        26, ge=2, le=50_000, description="candles in the slow average, more than in the fast one"
    )
    signal: Whole = Field(9, ge=2, le=50_000, description="candles in the signal line")

    @model_validator(mode="after")
    def _fast_below_slow(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, but {self.fast} ≥ {self.slow}")
        return self


@strategy(MacdCross, warmup=lambda p: warmup_of("macd", p.fast, p.slow, p.signal) + 1)
def macd_cross(candles: Candles, params: MacdCross, indicators: Indicators) -> Cross:  # noqa: ARG001
    """Enter when MACD crosses above its signal line, exit when it crosses below."""
    macd = indicators.macd(params.fast, params.slow, params.signal)
    return Cross(macd.line, macd.signal)
