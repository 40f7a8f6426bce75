"""Trend following out of Bollinger's bands."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class BollingerBreakout(Part):
    """The bands."""

    period: Whole = Field(20, ge=2, le=100_000, description="candles in the mean")
    deviations: Real = Field(
        2.0, gt=0, le=100, description="standard deviations from the mean to a band"
    )


@strategy(BollingerBreakout, warmup=lambda p: warmup_of("bollinger", p.period, p.deviations) + 1)
def bollinger_breakout(
    candles: Candles, params: BollingerBreakout, indicators: Indicators
) -> Signals:
    """Enter when the close leaves the bands upwards (short: downwards), exit at the mean."""
    bands = indicators.bollinger(params.period, params.deviations)
    return Signals(
        enter=crosses_above(candles.close, bands.upper),
        exit=crosses_below(candles.close, bands.middle),
        enter_short=crosses_below(candles.close, bands.lower),
        exit_short=crosses_above(candles.close, bands.middle),
    )
