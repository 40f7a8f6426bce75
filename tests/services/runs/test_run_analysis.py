"""Falls below the peak, by hand."""

from __future__ import annotations

import numpy as np

from mela.interval import DAY_MS, Interval
from services.runs.run_analysis import worst_drawdowns

DAYS = np.arange(6, dtype=np.int64) * DAY_MS


def test_falls_are_found_with_their_lowest_point_and_their_end() -> None:
    equity = np.array([100.0, 110.0, 99.0, 110.0, 104.5, 121.0])

    first, second = worst_drawdowns(DAYS, equity, 100.0, Interval.D1)

    assert (round(first.depth, 9), round(second.depth, 9)) == (-0.1, -0.05)
    assert (first.started_at.day, first.lowest_at.day) == (2, 3)
    assert first.recovered_at is not None
    assert (first.recovered_at.day, first.days) == (4, 2.0)


def test_a_fall_that_lasts_has_no_end_and_is_counted_to_the_last_close() -> None:
    equity = np.array([100.0, 90.0, 80.0, 85.0, 85.0, 85.0])

    [only] = worst_drawdowns(DAYS, equity, 100.0, Interval.D1)

    assert (round(only.depth, 9), only.recovered_at, only.days) == (-0.2, None, 6.0)


def test_a_first_candle_below_the_cash_is_a_fall() -> None:
    [only] = worst_drawdowns(DAYS[:1], np.array([90.0]), 100.0, Interval.D1)

    assert round(only.depth, 9) == -0.1
    assert worst_drawdowns(DAYS[:0], np.empty(0), 100.0, Interval.D1) == []
