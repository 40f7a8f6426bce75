"""Trend following by a band of true ranges that only moves with the trend."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Cross
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class Supertrend(Part):
    """The band."""

    period: Whole = Field(10, ge=2, le=10_000, description="candles in the average true range")
    multiplier: Real = Field(
        3.0, gt=0, le=50, description="true ranges from the candle's middle to the band"
    )


@strategy(Supertrend, warmup=lambda p: warmup_of("supertrend", p.period, p.multiplier) + 1)
def supertrend(candles: Candles, params: Supertrend, indicators: Indicators) -> Cross:
    """Enter when the close crosses above the Supertrend line, exit when below."""
    return Cross(candles.close, indicators.supertrend(params.period, params.multiplier).line)
