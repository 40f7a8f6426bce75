"""Following a trend only where it is firm, by Wilder's directional movement."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, begins, crossings
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class AdxTrend(Part):
    """The index and how firm is firm."""

    period: Whole = Field(14, ge=2, le=40_000, description="candles in Wilder's means")
    threshold: Real = Field(25.0, ge=0, lt=100, description="a trend is firm above this ADX")


@strategy(AdxTrend, warmup=lambda params: warmup_of("adx", params.period) + 1)
def adx_trend(candles: Candles, params: AdxTrend, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter when a rise (short: a fall) becomes firm, exit when the other direction takes over."""
    plus, minus = indicators.plus_di(params.period), indicators.minus_di(params.period)
    adx = indicators.adx(params.period)
    firm, known = adx > params.threshold, adx >= 0  # ADX is the last of the three to be defined
    rises, falls = crossings(plus, minus)
    return Signals(
        enter=begins(firm & (plus > minus), known),
        exit=falls,
        enter_short=begins(firm & (minus > plus), known),
        exit_short=rises,
    )
