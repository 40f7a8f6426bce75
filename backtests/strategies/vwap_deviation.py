"""Buying below the price that volume was paid at."""

from pydantic import Field

from backtests.indicators import Indicators, warmup_of
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Real, Whole


class VwapDeviation(Part):
    """The mean, and how far from it is far."""

    period: Whole = Field(24, ge=1, le=100_000, description="candles in the mean")
    deviation: Real = Field(
        0.01, gt=0, lt=1, description="enter this fraction away from it (0.01 is 1 %)"
    )


@strategy(VwapDeviation, warmup=lambda params: warmup_of("vwap", params.period) + 1)
def vwap_deviation(candles: Candles, params: VwapDeviation, indicators: Indicators) -> Signals:
    """Enter when the close falls far below its VWAP (short: rises far above), exit back at it."""
    vwap = indicators.vwap(params.period)
    return Signals(
        enter=crosses_below(candles.close, vwap * (1 - params.deviation)),
        exit=crosses_above(candles.close, vwap),
        enter_short=crosses_above(candles.close, vwap * (1 + params.deviation)),
        exit_short=crosses_below(candles.close, vwap),
    )
