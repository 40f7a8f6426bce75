"""Forty features in vectorised pandas, which must give the values that ours give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.indicators import frame
from mela.candles import Candles
from mela.training import FeatureChoice

OTHER = "bench:OTHER"
Frame = pd.DataFrame
Series = Any  # the stubs of pandas make an array of what numpy makes of a series
Theirs = Callable[[Frame], Series]


class Twin(NamedTuple):
    """A feature as a training file chooses it, and what computes it in pandas."""

    choice: FeatureChoice
    theirs: Theirs


def table(candles: Candles, other: Candles) -> Frame:
    """Return both series as one table: `other` is the close of the second one."""
    found = frame(candles)
    found["other"] = other.close
    found["closed"] = pd.to_datetime(candles.interval.ends_ms(candles.opened_ms), unit="ms")
    return found


def _twin(theirs: Theirs, name: str, **params: Any) -> Twin:
    return Twin(FeatureChoice(name=name, params=params), theirs)


def _log(of: Frame, column: str = "close") -> Series:
    return np.log(of[column])


def _ratio(first: Series, second: Series) -> Series:
    return np.log(first / second)


def _moved(of: Frame, column: str = "close") -> Series:
    return _log(of, column).diff()


def _returns(span: int) -> Twin:
    return _twin(lambda of: _log(of).diff(span), "returns", span=span)


def _volatility(span: int) -> Twin:
    return _twin(lambda of: _moved(of).rolling(span).std(), "volatility", span=span)


def _zscore(span: int) -> Twin:
    def theirs(of: Frame) -> Series:
        window = _log(of).rolling(span)
        return (_log(of) - window.mean()) / window.std()

    return _twin(theirs, "zscore", span=span)


def _distance(span: int) -> Twin:
    return _twin(
        lambda of: _log(of) - _log(of).rolling(span).mean(), "distance_from_mean", span=span
    )


def _place(span: int) -> Twin:
    def theirs(of: Frame) -> Series:
        low, high = of["low"].rolling(span).min(), of["high"].rolling(span).max()
        return (of["close"] - low) / (high - low)

    return _twin(theirs, "place", span=span)


def _rsi(span: int) -> Twin:
    def theirs(of: Frame) -> Series:
        up = _moved(of).clip(lower=0).rolling(span).sum()
        down = (-_moved(of)).clip(lower=0).rolling(span).sum()
        return up / (up + down)

    return _twin(theirs, "rsi", span=span)


def _efficiency(of: Frame) -> Series:
    return _log(of).diff(24) / _moved(of).abs().rolling(24).sum()


def _slope(of: Frame) -> Series:
    place = pd.Series(np.arange(len(of), dtype=float))
    return _log(of).rolling(24).cov(place) / place.rolling(24).var()


def _autocorrelation(of: Frame) -> Series:
    moved = _moved(of)
    return (moved * moved.shift()).rolling(48).mean() / (moved * moved).rolling(48).mean()


def _parkinson(span: int) -> Twin:
    def theirs(of: Frame) -> Series:
        reach = _ratio(of["high"], of["low"])
        return np.sqrt((reach**2).rolling(span).mean() / (4 * np.log(2)))

    return _twin(theirs, "parkinson", span=span)


def _garman_klass(of: Frame) -> Series:
    reach, moved = _ratio(of["high"], of["low"]), _ratio(of["close"], of["open"])
    each = 0.5 * reach**2 - (2 * np.log(2) - 1) * moved**2
    return np.sqrt(each.rolling(24).mean())


def _rogers_satchell(of: Frame) -> Series:
    opened, closed = _log(of, "open"), _log(of)
    high, low = _log(of, "high"), _log(of, "low")
    each = (high - opened) * (high - closed) + (low - opened) * (low - closed)
    return np.sqrt(each.rolling(24).mean())


def _true_range(of: Frame) -> Series:
    before = of["close"].shift()
    reach = _ratio(of["high"].clip(lower=before), of["low"].clip(upper=before))
    return reach.where(before.notna()).rolling(24).mean()


def _downside(of: Frame) -> Series:
    return np.sqrt((_moved(of).clip(upper=0) ** 2).rolling(48).mean())


def _volatility_ratio(of: Frame) -> Series:
    return np.log(_moved(of).rolling(12).std() / _moved(of).rolling(96).std())


def _volume(of: Frame) -> Series:
    return np.log1p(of["volume"])


def _volume_zscore(span: int) -> Twin:
    def theirs(of: Frame) -> Series:
        window = _volume(of).rolling(span)
        return (_volume(of) - window.mean()) / window.std()

    return _twin(theirs, "volume_zscore", span=span)


def _volume_trend(of: Frame) -> Series:
    return _volume(of).rolling(12).mean() - _volume(of).rolling(96).mean()


def _beta(of: Frame) -> Series:
    other = _moved(of, "other")
    return _moved(of).rolling(48).cov(other) / other.rolling(48).var()


def _spread(of: Frame) -> Series:
    ratio = _log(of) - _log(of, "other")
    return (ratio - ratio.rolling(48).mean()) / ratio.rolling(48).std()


def _hour(of: Frame) -> Series:
    closed: Any = of["closed"].dt
    return 2 * np.pi * (closed.hour * 60 + closed.minute) / 1440


def _week(of: Frame) -> Series:
    closed: Any = of["closed"].dt
    return 2 * np.pi * ((closed.dayofweek * 24 + closed.hour) * 60 + closed.minute) / 10080


def _range(of: Frame) -> Series:
    return of["high"] - of["low"]


TWINS: tuple[Twin, ...] = (
    *(_returns(span) for span in (1, 5, 24, 168)),
    _twin(lambda of: np.log(of["open"] / of["close"].shift()), "gap"),
    _twin(lambda of: (of["close"] - of["open"]) / _range(of), "body"),
    _twin(lambda of: (of["high"] - of[["open", "close"]].max(axis=1)) / _range(of), "upper_shadow"),
    _twin(lambda of: (of[["open", "close"]].min(axis=1) - of["low"]) / _range(of), "lower_shadow"),
    *(_place(span) for span in (14, 48)),
    _twin(lambda of: _log(of) - np.log(of["close"].rolling(48).max()), "drawdown", span=48),
    _twin(lambda of: _log(of) - np.log(of["close"].rolling(48).min()), "runup", span=48),
    *(_distance(span) for span in (24, 168)),
    *(_zscore(span) for span in (24, 96)),
    _twin(_slope, "slope", span=24),
    _twin(_efficiency, "efficiency", span=24),
    *(_rsi(span) for span in (14, 48)),
    _twin(lambda of: (_moved(of) > 0).astype(float).rolling(24).mean(), "rising", span=24),
    _twin(_autocorrelation, "autocorrelation", span=48),
    *(_volatility(span) for span in (24, 168)),
    *(_parkinson(span) for span in (24, 96)),
    _twin(_garman_klass, "garman_klass", span=24),
    _twin(_rogers_satchell, "rogers_satchell", span=24),
    _twin(_true_range, "true_range", span=24),
    _twin(_downside, "downside_volatility", span=48),
    _twin(_volatility_ratio, "volatility_ratio", short=12, long=96),
    *(_volume_zscore(span) for span in (24, 168)),
    _twin(_volume_trend, "volume_trend", short=12, long=96),
    _twin(
        lambda of: _moved(of).rolling(48).corr(_volume(of).diff()), "volume_correlation", span=48
    ),
    _twin(lambda of: np.sin(_hour(of)), "hour_sin"),
    _twin(lambda of: np.cos(_week(of)), "weekday_cos"),
    _twin(_beta, "beta", instrument=OTHER, span=48),
    _twin(
        lambda of: _moved(of).rolling(48).corr(_moved(of, "other")),
        "correlation",
        instrument=OTHER,
        span=48,
    ),
    _twin(_spread, "spread", instrument=OTHER, span=48),
)
