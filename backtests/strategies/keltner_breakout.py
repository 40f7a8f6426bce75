"""Trend following out of Keltner's channel."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class KeltnerBreakout(Part):
    """The channel."""

    period: Whole = Field(20, ge=2, le=100_000, description="candles in the average")
    atr_period: Whole = Field(10, ge=1, le=50_000, description="candles in the average true range")
    multiplier: Real = Field(
        2.0, gt=0, le=100, description="true ranges from the average to a band"
    )


def _warmup(params: KeltnerBreakout) -> int:
    return warmup_of("keltner", params.period, params.atr_period, params.multiplier) + 1


@strategy(KeltnerBreakout, warmup=_warmup)
def keltner_breakout(candles: Candles, params: KeltnerBreakout, indicators: Indicators) -> Signals:
    """Enter when the close leaves the channel upwards (short: downwards), exit at its middle."""
    bands = indicators.keltner(params.period, params.atr_period, params.multiplier)
    return Signals(
        enter=crosses_above(candles.close, bands.upper),
        exit=crosses_below(candles.close, bands.middle),
        enter_short=crosses_below(candles.close, bands.lower),
        exit_short=crosses_above(candles.close, bands.middle),
    )
