"""Features of the time at which a candle closes, in UTC, and of its market's session."""

from __future__ import annotations

import numpy as np

from forecasts.features.definition import Float, Reading, feature
from forecasts.features.prices import Nothing
from mela.interval import DAY_MS
from mela.market_hours import phases

_MONDAY_MS = -3 * DAY_MS  # 1970 began on a Thursday


def _turn(reading: Reading, offset_ms: int, period_ms: int) -> Float:
    """Return how far the closes are around a period, as an angle."""
    return 2 * np.pi * ((reading.closed_ms - offset_ms) % period_ms) / period_ms


@feature(Nothing, window=lambda _: 0)
def hour_sin(reading: Reading, _params: Nothing) -> Float:
    """Sine of the time of day at the close."""
    return np.sin(_turn(reading, 0, DAY_MS))


@feature(Nothing, window=lambda _: 0)
def hour_cos(reading: Reading, _params: Nothing) -> Float:
    """Cosine of the time of day at the close."""
    return np.cos(_turn(reading, 0, DAY_MS))


@feature(Nothing, window=lambda _: 0)
def weekday_sin(reading: Reading, _params: Nothing) -> Float:
    """Sine of the time of the week at the close."""
    return np.sin(_turn(reading, _MONDAY_MS, 7 * DAY_MS))


@feature(Nothing, window=lambda _: 0)
def weekday_cos(reading: Reading, _params: Nothing) -> Float:
    """Cosine of the time of the week at the close."""
    return np.cos(_turn(reading, _MONDAY_MS, 7 * DAY_MS))


@feature(Nothing, window=lambda _: 0)
def session(reading: Reading, _params: Nothing) -> Float:
    """Phase in which the candle opens: 0 closed, 1 before, 2 regular hours, 3 after."""
    candles = reading.candles
    return phases(candles.calendar, candles.interval, candles.opened_ms).astype(np.float64)
