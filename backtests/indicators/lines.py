"""The return types of indicators with several lines: one field for each line, (n,) float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from backtests.indicators.definition import Float


class Bands(NamedTuple):
    """A channel: (n,) float64 each, prices."""

    upper: Float
    middle: Float
    lower: Float


class Oscillator(NamedTuple):
    """A line, its mean, and the distance between these."""

    line: Float
    signal: Float
    histogram: Float


class Stochastic(NamedTuple):
    """A place between lowest and highest, and its mean: 0 to 100."""

    k: Float
    d: Float


class Supertrend(NamedTuple):
    """The band that follows the price; 1 where the price is above it, -1 where below."""

    line: Float
    trend: Float


class Aroon(NamedTuple):
    """The recency of the lowest low and the highest high: 100 is now."""

    down: Float
    up: Float


class Vortex(NamedTuple):
    """Movement upwards and downwards, as shares of the true range."""

    plus: Float
    minus: Float


class Ichimoku(NamedTuple):
    """Ichimoku's lines as they lie over and under a candle; each was known at its close."""

    conversion: Float
    base: Float
    span_a: Float
    span_b: Float
    past_close: Float


class HeikinAshi(NamedTuple):
    """Averaged candles: prices."""

    open: Float
    high: Float
    low: Float
    close: Float


class ChandelierExit(NamedTuple):
    """A stop under the highest high, and one above the lowest low: prices."""

    long: Float
    short: Float


class ZigZag(NamedTuple):
    """The last confirmed turns, the side of the last one, and how many candles ago it was."""

    high: Float
    low: Float
    trend: Float
    age: Float


class Kst(NamedTuple):
    """A weighted sum of smoothed rates of change, and its mean."""

    line: Float
    signal: Float


NAMED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "macd": Oscillator,
        "supertrend": Supertrend,
        "aroon": Aroon,
        "vortex": Vortex,
        "ichimoku": Ichimoku,
        "heikin_ashi": HeikinAshi,
        "chandelier_exit": ChandelierExit,
        "zigzag": ZigZag,
        "stochastic": Stochastic,
        "stochastic_rsi": Stochastic,
        "ppo_with_signal": Oscillator,
        "kst": Kst,
        "bollinger": Bands,
        "keltner": Bands,
        "donchian": Bands,
        "pvo": Oscillator,
    }
)
