"""Momentum: what has risen goes on rising."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class RateOfChange(Part):
    """How far back, and how much of a change counts."""

    period: Whole = Field(20, ge=1, le=100_000, description="candles looked back")
    threshold: Real = Field(
        0.0, ge=0, lt=1, description="enter when the change exceeds this fraction (0.05 is 5 %)"
    )


@strategy(RateOfChange, warmup=lambda params: warmup_of("roc", params.period) + 1)
def rate_of_change(candles: Candles, params: RateOfChange, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter when the change of the close rises above the threshold, exit when it turns negative."""
    change, least = indicators.roc(params.period), 100 * params.threshold
    return Signals(
        enter=crosses_above(change, least),
        exit=crosses_below(change, 0.0),
        enter_short=crosses_below(change, -least),
        exit_short=crosses_above(change, 0.0),
    )
