"""Strategies with a leak or a reach."""

from __future__ import annotations

import datetime
import functools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numba import njit

from backtests.indicators import Indicators
from backtests.signals import Signals, Weights, crosses_above, crosses_below
from mela.candles import Candles
from mela.run import Part

FUTURE = "future.parquet"  # a test puts it into the folder it runs in
TIMES, LEVELS = "times.npy", "levels.npy"


def crosses(line: Any, level: Any) -> Signals:
    return Signals(crosses_above(line, level), crosses_below(line, level))


# Leaks that cutting shows


def resampled_day(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Join each hour with its own day's mean, labelled at the day's beginning."""
    index = pd.to_datetime(candles.opened_ms, unit="ms")
    closes = pd.Series(candles.close, index=index)
    days = closes.resample("1D").mean()
    return crosses(candles.close, days.reindex(index, method="ffill").to_numpy())


def centred_rolling(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(candles.close, pd.Series(candles.close).rolling(11, center=True).mean())


def whole_series(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    closes = pd.Series(candles.close)
    return crosses(((closes - closes.mean()) / closes.std()).to_numpy(), 0.3)


def shifted_back(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    return crosses(pd.Series(candles.close).shift(-1), indicators.sma(20))


def sorted_by_future(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Enter on the tenth of candles after which the price rises most."""
    rises = np.append(np.diff(candles.close), 0.0)
    best = np.argsort(rises)[-max(1, len(rises) // 10) :]
    enter = np.zeros(len(candles), dtype=bool)
    enter[best] = True
    return Signals(enter, ~enter)


def filled_back(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Know sparse values before they are there: pandas' bfill."""
    sparse = pd.Series(candles.close).where(np.arange(len(candles)) % 7 == 0)
    return crosses(candles.close, sparse.bfill().ffill())


def interpolated(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    sparse = pd.Series(candles.close).where(np.arange(len(candles)) % 7 == 0)
    return crosses(candles.close, sparse.interpolate())


def quantile_of_all(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(candles.close, float(np.quantile(candles.close, 0.7)))


def ranked(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    return crosses(pd.Series(candles.close).rank(pct=True), 0.6)


def filtered_both_ways(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Smooth forwards and backwards, as filtfilt does, for no delay."""
    there = pd.Series(candles.close).ewm(span=9).mean()
    return crosses(candles.close, there[::-1].ewm(span=9).mean()[::-1].to_numpy())


def fourier(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    waves = np.fft.rfft(candles.close)
    waves[len(waves) // 8 + 1 :] = 0.0
    return crosses(candles.close, np.fft.irfft(waves, len(candles)))


def regressed(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Detrend by a line through the whole series."""
    bars = np.arange(len(candles))
    fit = np.polyfit(bars, candles.close, 1) if len(bars) > 2 else (0.0, 0.0)
    return crosses(candles.close - np.polyval(fit, bars), 0.0)


def turning_points(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Buy lows that the candles on both sides confirm."""
    low, high = candles.close.copy(), candles.close
    enter = np.zeros(len(low), dtype=bool)
    enter[1:-1] = (low[1:-1] < low[:-2]) & (low[1:-1] < low[2:])
    leave = np.zeros(len(high), dtype=bool)
    leave[1:-1] = (high[1:-1] > high[:-2]) & (high[1:-1] > high[2:])
    return Signals(enter, leave)


def stop_knows_the_low(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Be honest about entries, and set each stop beneath the lowest low of the future."""
    honest = crosses(candles.close, indicators.sma(20))
    ahead = np.minimum.accumulate(candles.low[::-1])[::-1]
    return Signals(honest.enter, honest.exit, stop=ahead * 0.99)


def sized_by_tomorrow(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    honest = crosses(candles.close, indicators.sma(20))
    ahead = np.append(candles.close[1:], candles.close[-1]) > candles.close
    return Signals(honest.enter, honest.exit, strength=np.where(ahead, 1.0, 0.1))


def weighted_by_tomorrow(candles: Candles, _params: Part, _indicators: Indicators) -> Weights:
    ahead = np.append(candles.close[1:], candles.close[-1])
    return Weights(np.clip((ahead / candles.close - 1.0) * 10.0, -1.0, 1.0))


def last_candle_is_other(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Close whatever is open on the last candle, which it knows to be the last."""
    honest = crosses(candles.close, indicators.sma(20))
    leave = honest.exit.copy()
    leave[-1] = True
    return Signals(honest.enter, leave)


# Leaks by what is kept between calls

FITTED: dict[str, float] = {}


def fitted_on_first_call(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    if not FITTED:
        FITTED.update(mean=float(candles.close.mean()), spread=float(candles.close.std()) + 1e-9)
    return crosses((candles.close - FITTED["mean"]) / FITTED["spread"], 0.3)


LATE: dict[str, float] = {}


def fitted_once_there_is_enough(
    candles: Candles, _params: Part, _indicators: Indicators
) -> Signals:
    if not LATE and len(candles) >= 250:
        LATE["mean"] = float(candles.close.mean())
    return crosses(candles.close, LATE.get("mean", 1e9))


LONGEST = np.empty(0)


def longest_seen(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Keep the longest series, and read the next close out of it."""
    global LONGEST
    if len(candles) > len(LONGEST):
        LONGEST = candles.close.copy()
    ahead = np.append(LONGEST, np.nan)[1 : len(candles) + 1]
    return Signals(ahead > candles.close, ahead < candles.close)


class Model:
    """Keeps what it learned in its class."""

    level: float | None = None


def class_state(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    if Model.level is None:
        Model.level = float(np.median(candles.close))
    return crosses(candles.close, Model.level)


def _closure() -> Callable[..., Signals]:
    kept: list[float] = []

    def closure_state(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
        if not kept:
            kept.append(float(candles.close.mean()))
        return crosses(candles.close, kept[0])

    return closure_state


closure_state = _closure()


def mutable_default(
    candles: Candles,
    _params: Part,
    _indicators: Indicators,
    *,
    kept: Any = [0.0, 0],  # noqa: B006
) -> Signals:
    if not kept[1]:
        kept[:] = [float(candles.close.max()), 1]
    return crosses(candles.close, kept[0] * 0.95)


def function_attribute(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    kept: Any = function_attribute
    if not hasattr(kept, "level"):
        kept.level = float(candles.close.mean())
    return crosses(candles.close, kept.level)


SERIES: Candles | None = None


@functools.lru_cache
def _by_length(_count: int) -> float:
    assert SERIES is not None
    return float(SERIES.close[-200:].mean())


def cached_by_length(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    global SERIES
    SERIES = candles
    return crosses(candles.close, np.full(len(candles), _by_length(len(candles))))


BY_ID: dict[int, np.ndarray] = {}


def cached_by_begin_and_length(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Cache a causal line by where the series begins and how long it is, not by its values."""
    key = hash((int(candles.opened_ms[0]), len(candles)))
    if key not in BY_ID:
        BY_ID[key] = pd.Series(candles.close).rolling(20).mean().to_numpy()
    return crosses(candles.close, BY_ID[key])


def class_of_module(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Hide what is kept in another module."""
    kept = sys.modules["mela.run"].__dict__.setdefault("_hidden", [])
    if not kept:
        kept.append(float(candles.close.mean()))
    return crosses(candles.close, kept[0])


# Reaches


def future_in_parquet(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Read future returns by time; pyarrow opens the file without Python."""
    table = pq.read_table(FUTURE).to_pydict()
    rises = dict(zip(table["opened_ms"], table["rises"], strict=True))
    ahead = np.array([rises[int(ms)] for ms in candles.opened_ms])
    return Signals(ahead > 0.0, ahead < 0.0)


def future_in_numpy(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    times, rises = np.load(TIMES), np.load(LEVELS)
    ahead = rises[np.searchsorted(times, candles.opened_ms)]
    return Signals(ahead > 0.0, ahead < 0.0)


MAPPED: dict[int, float] = {}


def future_read_once(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    if not MAPPED:
        table = pq.read_table(FUTURE).to_pydict()
        MAPPED.update(zip(table["opened_ms"], table["rises"], strict=True))
    ahead = np.array([MAPPED[int(ms)] for ms in candles.opened_ms])
    return Signals(ahead > 0.0, ahead < 0.0)


def local_time(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Read the hour in New York: time zones are files, and nobody's reach."""
    times = pd.to_datetime(candles.opened_ms, unit="ms", utc=True).tz_convert("America/New_York")
    hour = times.hour.to_numpy()
    return Signals(hour == 10, hour == 15)


def parquet_and_time_zones(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    """Read a file without Python where a library opens files for itself, too."""
    local_time(candles, _params, indicators)
    return future_in_parquet(candles, _params, indicators)


def csv_with_pandas(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    if Path("levels.csv").exists():
        pd.read_csv("levels.csv")
    return crosses(candles.close, indicators.sma(20))


def network(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    with socket.socket() as asked:
        asked.settimeout(0.05)
        asked.connect_ex(("127.0.0.1", 9))
    return crosses(candles.close, indicators.sma(20))


def process(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    subprocess.run(["true"], check=True)
    return crosses(candles.close, indicators.sma(20))


def clock(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    past = candles.opened_ms < time.time() * 1000
    honest = crosses(candles.close, indicators.sma(20))
    return Signals(honest.enter & past, honest.exit)


def clock_of_datetime(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    year = datetime.datetime.now(datetime.UTC).year
    return crosses(candles.close, indicators.sma(20 + year % 2))


def clock_of_pandas(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    year = pd.Timestamp.now(tz="UTC").year
    return crosses(candles.close, indicators.sma(20 + year % 2))


def clock_of_numpy(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    past = candles.opened_ms < np.datetime64("now", "ms").astype(np.int64)
    honest = crosses(candles.close, indicators.sma(20))
    return Signals(honest.enter & past, honest.exit)


def environment(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    period = int(os.environ.get("MY_PERIOD", "20"))
    return crosses(candles.close, indicators.sma(period))


def getenv(candles: Candles, _params: Part, indicators: Indicators) -> Signals:
    return crosses(candles.close, indicators.sma(int(os.getenv("MY_PERIOD", "20"))))


def chance(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    enter = np.random.default_rng().random(len(candles)) > 0.9
    return Signals(enter, ~enter)


def chance_of_old_numpy(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    enter = np.random.rand(len(candles)) > 0.9
    return Signals(enter, ~enter)


def chance_of_python(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    enter = np.array([random.random() > 0.9 for _ in candles.close])  # noqa: S311
    return Signals(enter, ~enter)


@njit
def _drawn(count: int) -> np.ndarray:
    return np.random.rand(count) > 0.9


def chance_of_numba(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    enter = _drawn(len(candles))
    return Signals(enter, ~enter)


def needs_twenty(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
    """Raise on fewer candles than its warm-up."""
    past = np.lib.stride_tricks.sliding_window_view(candles.close, 20)
    high = np.full(len(candles), np.inf)
    high[20:] = past[:-1].max(axis=1)
    return Signals(candles.close > high, candles.close < high * 0.97)
