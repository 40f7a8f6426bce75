"""Features of the time at which a candle closes, in UTC, and of its market's session."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from forecasts.features.definition import Float, Int, Reading, feature
from forecasts.features.prices import Nothing
from mela.interval import DAY_MS, MINUTE_MS
from mela.market_hours import phases

_MONDAY_MS = -3 * DAY_MS  # 1970 began on a Thursday
_DAY_MINUTES = DAY_MS // MINUTE_MS
_WEEK_MINUTES = 7 * _DAY_MINUTES


def _turned(reading: Reading, name: str, offset_ms: int, period_ms: int) -> Float:
    """Return the sine or cosine of how far the closes are around a period.

    A period has few minutes, and a series many candles: it is worked out for each minute once.
    """
    function = np.sin if name == "sin" else np.cos
    after_ms = reading.closed_ms - offset_ms
    minutes, is_whole = _minutes(after_ms, period_ms)
    if not is_whole:
        return function(2 * np.pi * (after_ms % period_ms) / period_ms)
    return _table(name, period_ms)[minutes]


@njit(cache=True, nogil=True)
def _minutes(after_ms: Int, period_ms: int) -> tuple[Int, bool]:
    """Return the minute of its period that each instant is, and whether all are whole minutes."""
    found, rest = np.empty(len(after_ms), np.int64), 0
    for place in range(len(after_ms)):
        minute = after_ms[place] // MINUTE_MS  # a constant: no division is made
        rest |= after_ms[place] - minute * MINUTE_MS
        found[place] = minute % _WEEK_MINUTES  # and as days divide a week, of this first
    if period_ms == DAY_MS:
        for place in range(len(found)):
            found[place] %= _DAY_MINUTES
    return found, rest == 0


@cache
def _table(name: str, period_ms: int) -> Float:
    function = np.sin if name == "sin" else np.cos
    return function(2 * np.pi * np.arange(0, period_ms, MINUTE_MS) / period_ms)


@feature(Nothing, window=lambda _: 0)
def hour_sin(reading: Reading, _params: Nothing) -> Float:
    """Sine of the time of day at the close."""
    return _turned(reading, "sin", 0, DAY_MS)


@feature(Nothing, window=lambda _: 0)
def hour_cos(reading: Reading, _params: Nothing) -> Float:
    """Cosine of the time of day at the close."""
    return _turned(reading, "cos", 0, DAY_MS)


@feature(Nothing, window=lambda _: 0)
def weekday_sin(reading: Reading, _params: Nothing) -> Float:
    """Sine of the time of the week at the close."""
    return _turned(reading, "sin", _MONDAY_MS, 7 * DAY_MS)


@feature(Nothing, window=lambda _: 0)
def weekday_cos(reading: Reading, _params: Nothing) -> Float:
    """Cosine of the time of the week at the close."""
    return _turned(reading, "cos", _MONDAY_MS, 7 * DAY_MS)


@feature(Nothing, window=lambda _: 0)
def session(reading: Reading, _params: Nothing) -> Float:
    """Phase in which the candle opens: 0 closed, 1 before, 2 regular hours, 3 after."""
    candles = reading.candles
    return phases(candles.calendar, candles.interval, candles.opened_ms).astype(np.float64)
