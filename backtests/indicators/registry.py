"""The list of all indicators: what `mela indicators` shows and `Indicators` computes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from backtests.indicators.definition import Indicator
from backtests.indicators.momentum import MOMENTUM
from backtests.indicators.trend import TREND
from backtests.indicators.volatility import VOLATILITY
from backtests.indicators.volume import VOLUME

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {one.name: one for one in (*TREND, *MOMENTUM, *VOLATILITY, *VOLUME)}
)


def warmup_of(name: str, *parameters: float) -> int:
    """Return how many candles before one make an indicator's value on it what it always is.

    Raises KeyError for an unknown name, ValueError for a sum over all candles (`obv`, `ad`).

    >>> warmup_of("sma", 30), warmup_of("rsi", 14)
    (29, 280)
    """
    candles = INDICATORS[name].warmup(*parameters)
    if candles is None:
        raise ValueError(
            f"{name} sums over all candles, so that no number of them is enough: use its changes"
        )
    return candles
