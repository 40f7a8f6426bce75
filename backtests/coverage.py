"""How much of a span its candles cover, against the market's calendar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mela.calendars import expected_opens_ms
from mela.candles import Candles


def coverage_warnings(candles: Candles, start_ms: int, end_ms: int) -> tuple[str, ...]:
    """Return which of `starts_late`, `ends_early` and `gaps` hold for [start, end).

    candles: at least one in the span; start_ms, end_ms: UTC milliseconds
    returns: nothing where the calendar is unknown, or has no candle in the span
    """
    try:
        expected = expected_opens_ms(candles.calendar, candles.interval, start_ms, end_ms)
    except ValueError:  # a market whose hours nobody knows: nothing can be said to be missing
        return ()
    if len(expected) == 0:
        return ()
    present = candles.opened_ms[candles.start_bar :]
    absent = expected[~np.isin(expected, present)]
    said = {
        "starts_late": _holds(absent, expected[0]),
        "ends_early": _holds(absent, expected[-1]),
        "gaps": bool(np.any((absent > present[0]) & (absent < present[-1]))),
    }
    return tuple(warning for warning, holds in said.items() if holds)


def _holds(values: NDArray[np.int64], value: np.int64) -> bool:
    return bool(np.any(values == value))
