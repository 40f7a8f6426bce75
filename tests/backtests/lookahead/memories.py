"""Strategies that depend on where the history begins, and see no later candle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtests.indicators import Indicators
from backtests.signals import Signals
from mela.candles import Candles
from mela.run import Part
from tests.backtests.lookahead.leaks import crosses


def expanding_mean(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(candles.close, pd.Series(candles.close).expanding().mean())


def expanding_zscore(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    closes = pd.Series(candles.close)
    grown = closes.expanding(min_periods=20)
    return crosses((closes - grown.mean()) / (grown.std() + 1e-9), 0.5)


def seeded_by_row(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    drawn = np.random.default_rng(7).random(len(candles))
    return Signals(drawn > 0.9, drawn < 0.1)


def highest_ever(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    top = np.maximum.accumulate(candles.close)
    return Signals(candles.close >= top, candles.close < 0.95 * top)


def warmup_too_short(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Need thousands of candles, and state 60."""
    slow = pd.Series(candles.close).ewm(span=800, adjust=False).mean()
    return crosses(candles.close, slow)
