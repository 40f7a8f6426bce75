"""Strategies that are clean and look suspicious."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from numba import njit

from backtests.indicators import Indicators
from backtests.signals import Signals
from mela.candles import Candles
from mela.interval import DAY_MS
from mela.run import Part
from tests.backtests.lookahead.leaks import crosses


def causal_ema(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    return crosses(indicators.ema(5), indicators.sma(20))


def causal_rolling(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    mean = pd.Series(candles.close).rolling(20).mean()
    return crosses(candles.close, mean)


def pandas_ewm(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    line = pd.Series(candles.close).ewm(span=5, adjust=False).mean()
    return crosses(candles.close, line)


def shifted_on(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(candles.close, pd.Series(candles.close).shift(3))


@njit(cache=True)
def _channel(close: np.ndarray) -> np.ndarray:
    top = np.full(len(close), np.nan)
    for bar in range(20, len(close)):
        top[bar] = close[bar - 20 : bar].max()
    return top


def numba_channel(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(candles.close, _channel(candles.close))


def seeded_by_time(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Draw for each candle from its own time: no history, no future."""
    drawn = np.array(
        [np.random.default_rng(int(ms // 3_600_000)).random() for ms in candles.opened_ms]
    )
    return Signals(drawn > 0.9, drawn < 0.1)


def weekday(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    day = candles.opened_ms // DAY_MS % 7
    return Signals(day == 1, day == 3)


@functools.lru_cache
def _weights(period: int) -> np.ndarray:
    return np.arange(1.0, period + 1.0) / (period * (period + 1) / 2)


def cached_constants(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Cache what depends on parameters alone."""
    weights = _weights(12)
    mean = np.convolve(candles.close, weights[::-1])[: len(candles)]
    mean[:11] = np.nan
    return crosses(candles.close, mean)


COUNTED = 0


def counting_calls(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Keep a number that changes no answer."""
    global COUNTED
    COUNTED += 1
    return crosses(candles.close, indicators.sma(20))


def loop(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Walk in plain Python."""
    enter, leave = np.zeros((2, len(candles)), dtype=bool)
    for bar in range(3, len(candles)):
        enter[bar] = candles.close[bar] > candles.close[bar - 3] * 1.01
        leave[bar] = candles.close[bar] < candles.close[bar - 3] * 0.99
    return Signals(enter, leave)


def lazy_import(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Import while it decides: that is no reach."""
    from scipy.ndimage import correlate1d

    line = correlate1d(candles.close, [0.5, 0.5])  # of the last candle and the one before
    return crosses(line, indicators.sma(20))


def printing(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    print("deciding on", len(candles))  # noqa: T201
    return crosses(candles.close, indicators.sma(20))


def honest_stop(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    honest = crosses(candles.close, indicators.sma(20))
    return Signals(honest.enter, honest.exit, stop=candles.close * 0.97)
