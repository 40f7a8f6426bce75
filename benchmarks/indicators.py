"""Twelve indicators against vectorised pandas, which must compute the same values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtests.indicators import Indicators
from mela.candles import Candles

# Whatever was computed; the last of several lines is compared.
Ours = Callable[[Candles], Any]
Theirs = Callable[[pd.DataFrame], Any]


@dataclass(frozen=True, slots=True)
class Twin:
    """An indicator in the engine's version and in pandas. Both return its lines."""

    name: str
    ours: Ours
    theirs: Theirs


def frame(candles: Candles) -> pd.DataFrame:
    """Return the candles as a table."""
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: getattr(candles, name) for name in names})


def _true_range(of: pd.DataFrame) -> pd.Series:
    before = of["close"].shift()
    return of["high"].clip(lower=before) - of["low"].clip(upper=before)


def _wilder(values: pd.Series, period: int) -> pd.Series:
    return values.ewm(alpha=1 / period, adjust=False).mean()


def _ema(values: pd.Series, period: int) -> pd.Series:
    return values.ewm(span=period, adjust=False).mean()


def _rsi(of: pd.DataFrame) -> pd.Series:
    moved = of["close"].diff()
    up, down = _wilder(moved.clip(lower=0), 14), _wilder(-moved.clip(upper=0), 14)
    return 100 * up / (up + down)


def _macd(of: pd.DataFrame) -> tuple[pd.Series, ...]:
    line = _ema(of["close"], 12) - _ema(of["close"], 26)
    signal = _ema(line, 9)
    return line, signal, line - signal


def _bollinger(of: pd.DataFrame) -> tuple[pd.Series, ...]:
    window = of["close"].rolling(20)
    middle, width = window.mean(), 2 * window.std(ddof=0)
    return middle + width, middle, middle - width


def _stochastic(of: pd.DataFrame) -> tuple[pd.Series, ...]:
    low, high = of["low"].rolling(14).min(), of["high"].rolling(14).max()
    slow = (100 * (of["close"] - low) / (high - low)).rolling(3).mean()
    return slow, slow.rolling(3).mean()


def _adx(of: pd.DataFrame) -> pd.Series:
    up, down = of["high"].diff(), -of["low"].diff()
    rises = up.where((up > down) & (up > 0), 0.0)
    falls = down.where((down > up) & (down > 0), 0.0)
    plus, minus = _wilder(rises, 14), _wilder(falls, 14)  # over the same range, which cancels
    return _wilder(100 * (plus - minus).abs() / (plus + minus), 14)


def _cci(of: pd.DataFrame) -> pd.Series:
    # The mean deviation as twenty shifted differences: far faster than rolling().apply().
    typical = (of["high"] + of["low"] + of["close"]) / 3
    mean = typical.rolling(20).mean()
    apart = (typical - mean).abs()
    for back in range(1, 20):
        apart = apart + (typical.shift(back) - mean).abs()
    return (typical - mean) / (0.015 * apart / 20)


def _williams(of: pd.DataFrame) -> pd.Series:
    low, high = of["low"].rolling(14).min(), of["high"].rolling(14).max()
    return -100 * (high - of["close"]) / (high - low)


def _money_flow(of: pd.DataFrame) -> pd.Series:
    typical = (of["high"] + of["low"] + of["close"]) / 3
    flow, moved = typical * of["volume"], typical.diff()
    rising = flow.where(moved > 0, 0.0).rolling(14).sum()
    falling = flow.where(moved < 0, 0.0).rolling(14).sum()
    return 100 * rising / (rising + falling)


def _trix(of: pd.DataFrame) -> pd.Series:
    return 100 * _ema(_ema(_ema(of["close"], 15), 15), 15).pct_change()


TWINS = (
    Twin("sma", lambda c: Indicators(c).sma(30), lambda of: of["close"].rolling(30).mean()),
    Twin("ema", lambda c: Indicators(c).ema(30), lambda of: _ema(of["close"], 30)),
    Twin("rsi", lambda c: Indicators(c).rsi(14), _rsi),
    Twin("macd", lambda c: Indicators(c).macd(), _macd),
    Twin("bollinger", lambda c: Indicators(c).bollinger(20), _bollinger),
    Twin(
        "atr",
        lambda c: Indicators(c).atr(14),
        lambda of: _wilder(_true_range(of), 14),
    ),
    Twin(
        "stochastic",
        lambda c: Indicators(c).stochastic(14, 3),
        _stochastic,
    ),
    Twin("adx", lambda c: Indicators(c).adx(14), _adx),
    Twin("cci", lambda c: Indicators(c).cci(20), _cci),
    Twin("williams", lambda c: Indicators(c).williams_r(14), _williams),
    Twin("money flow", lambda c: Indicators(c).mfi(14), _money_flow),
    Twin("trix", lambda c: Indicators(c).trix(15), _trix),
)


def differs(ours: Any, theirs: Any) -> float:
    """Return the relative difference of the last values, where the seeds no longer matter.

    >>> differs(np.array([1.0, 2.0]), pd.Series([5.0, 2.0]))
    0.0
    """
    a, b = _last(ours), _last(theirs)
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b)) if math.isfinite(a + b) else math.inf


def _last(lines: Any) -> float:
    line = lines[-1] if isinstance(lines, tuple) else lines
    return float(np.asarray(line)[-1])
