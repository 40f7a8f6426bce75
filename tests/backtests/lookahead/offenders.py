"""Strategies that cheat, each in one way that people really fall for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from backtests.context import StrategyContext
from backtests.indicators import Indicators
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.inputs import Input
from mela.interval import DAY_MS, Interval
from mela.run import Part

CALLS = 0


def planted(signals: Callable, warmup: int = 60) -> Strategy:
    return Strategy(signals.__name__, "Cheat.", Part, "", signals, lambda _params: warmup)


def crosses(line: np.ndarray, level: np.ndarray | float) -> Signals:
    return Signals(crosses_above(line, level), crosses_below(line, level))


def shifted(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Know the next close: pandas' shift(-1)."""
    ahead = np.append(candles.close[1:], np.nan)
    return crosses(ahead, indicators.sma(20))


def scaled(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Scale by mean and deviation of the whole series."""
    spread = candles.close.std() + 1e-9
    return crosses((candles.close - candles.close.mean()) / spread, 0.5)


def centred(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Smooth by a window that reaches five candles ahead."""
    mean = indicators.sma(11)
    smooth = np.append(mean[5:], np.full(min(5, len(mean)), np.nan))[: len(mean)]
    return crosses(candles.close, smooth)


def day_known_at_its_open(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Join each hour with the close of its own day, which is known only at midnight."""
    days = candles.opened_ms // DAY_MS
    last = np.searchsorted(days, days, side="right") - 1
    return crosses(candles.close[last], candles.open)


def counting(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Take the period of a mean from the number of candles."""
    period = 10 + len(candles) % 7
    mean = np.convolve(candles.close, np.ones(period) / period)[: len(candles)]
    return crosses(candles.close, mean)


def remembering(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Change the answer with each call, by global state."""
    global CALLS
    CALLS += 1
    return crosses(candles.close, indicators.sma(10 + CALLS % 3))


def best_day_ever(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Sell at the highest close of the whole series: one signal, and it is in the future."""
    top = candles.close == candles.close.max()
    return Signals(crosses_above(candles.close, 0.0), top)


def scribbling(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Smooth the closes in place."""
    candles.close[5:] = indicators.sma(5)[5:]
    return crosses(candles.close, indicators.sma(20))


def counted_from_the_first(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Enter every tenth candle, counted from wherever the candles begin."""
    bars = np.arange(len(candles))
    return Signals(bars % 10 == 0, bars % 10 == 5)


def only_short(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Be honest about long positions, and know the next close for short ones."""
    honest = crosses(candles.close, indicators.sma(20))
    ahead = shifted(candles, _params, indicators)
    return Signals(honest.enter, honest.exit, ahead.exit, ahead.enter)


def stumbling(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Raise where there are few candles."""
    if len(candles) < 100:
        raise IndexError("index 99 is out of bounds")
    return crosses(candles.close, indicators.sma(20))


def reading_days(signals: Callable, warmup: int = 60) -> Strategy:
    """Plant a strategy that reads the daily candles of its own instrument."""
    return replace(
        planted(signals, warmup),
        declares=lambda _params: {"daily": Input(interval=Interval.D1, warmup=4)},
        takes_context=True,
    )


def peeking_into_the_day(
    candles: Candles, _params: Part, _indicators: Indicators, context: StrategyContext
) -> Signals:
    """Take the daily candle after the last closed one: it is still open."""
    days = context.inputs["daily"]
    ahead = np.minimum(days.bars + 1, len(days.candles) - 1)
    return crosses(candles.close, days.candles.close[ahead])


def patient_with_the_day(
    candles: Candles, _params: Part, _indicators: Indicators, context: StrategyContext
) -> Signals:
    """Be honest: compare closes with the mean of the days that have closed."""
    days = context.inputs["daily"]
    return crosses(candles.close, days.aligned(days.indicators.sma(3)))
