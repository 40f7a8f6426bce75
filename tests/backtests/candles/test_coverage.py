from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from backtests.candles.coverage import coverage_warnings
from backtests.testing.instrument import MONDAY_MS, candles_of
from mela.candles import Candles
from mela.interval import DAY_MS, HOUR_MS, Interval

END_MS = MONDAY_MS + 6 * HOUR_MS


def hours(*present: int, calendar: str = "24/7") -> Candles:
    one = np.ones(len(present))
    opened = MONDAY_MS + HOUR_MS * np.array(present, dtype=np.int64)
    return Candles(Interval.H1, opened, one, one, one, one, one, 0, calendar)


@pytest.mark.parametrize(
    ("present", "warnings"),
    [
        (range(6), ()),
        (range(1, 6), ("starts_late",)),
        (range(5), ("ends_early",)),
        ((0, 1, 3, 4, 5), ("gaps",)),
        ((1, 3), ("starts_late", "ends_early", "gaps")),
        ((2, 3), ("starts_late", "ends_early")),
    ],
)
def test_what_the_calendar_expects_and_the_candles_lack_is_said(present, warnings) -> None:
    assert coverage_warnings(hours(*present), MONDAY_MS, END_MS) == warnings


def test_a_span_between_two_openings_expects_the_ones_inside() -> None:
    assert coverage_warnings(hours(1, 2), MONDAY_MS + 1, MONDAY_MS + 3 * HOUR_MS - 1) == ()


def test_warmup_candles_cover_nothing() -> None:
    candles = hours(0, 1, 2).span(MONDAY_MS + 2 * HOUR_MS, END_MS, 2)

    assert coverage_warnings(candles, MONDAY_MS + HOUR_MS, MONDAY_MS + 3 * HOUR_MS) == (
        "starts_late",
    )


def test_a_weekend_is_no_gap_where_the_market_rests() -> None:
    # 1 January 2024 was a holiday in New York: the sessions are 2 to 5 and 8 January.
    days = candles_of([(1, 1, 1, 1)] * 8)
    sessions = np.array([1, 2, 3, 4, 7])
    columns = [column[sessions] for column in (days.open, days.high, days.low, days.close)]
    stocks = Candles(Interval.D1, days.opened_ms[sessions], *columns, np.ones(5), calendar="XNYS")

    assert coverage_warnings(stocks, MONDAY_MS, MONDAY_MS + 8 * DAY_MS) == ()


def test_of_a_market_whose_hours_nobody_knows_nothing_is_said() -> None:
    assert coverage_warnings(hours(1, 3, calendar="moon"), MONDAY_MS, END_MS) == ()


def test_a_span_of_millennia_is_judged_without_listing_its_minutes() -> None:
    one = np.ones(3)
    opened = MONDAY_MS + 60_000 * np.arange(3)
    minutes = Candles(Interval.M1, opened, one, one, one, one, one)
    year_one, year_9999 = -62_135_596_800_000, 253_402_300_799_000

    assert coverage_warnings(minutes, year_one, year_9999) == ("starts_late", "ends_early")
    assert coverage_warnings(minutes, MONDAY_MS, year_9999) == ("ends_early",)
    assert coverage_warnings(minutes, year_one, MONDAY_MS + 180_000) == ("starts_late",)


def test_a_gap_is_found_in_whatever_window_it_lies() -> None:
    one = np.ones(200_000)
    kept = np.r_[:150_000, 150_001:200_001]
    opened = MONDAY_MS + 60_000 * kept
    minutes = Candles(Interval.M1, opened, one, one, one, one, one)

    assert coverage_warnings(minutes, MONDAY_MS, int(opened[-1]) + 60_000) == ("gaps",)


@pytest.mark.parametrize("interval", ["1d", "1w", "1mo"])
def test_every_interval_has_a_calendar(interval: str) -> None:
    candles = candles_of([(1, 1, 1, 1)] * 3, Interval(interval))
    first_ms = int(candles.opened_ms[0])
    end_ms = candles.interval.end_ms(int(candles.opened_ms[-1]))

    assert coverage_warnings(candles, first_ms, end_ms) == ()
    assert coverage_warnings(candles, first_ms, end_ms + 31 * DAY_MS) == ("ends_early",)


@pytest.mark.parametrize("minute", [0, 30])
def test_hours_may_stand_on_the_full_hour_where_sessions_open_at_half_past(minute: int) -> None:
    """XNYS, 2024-01-02 and 03: 9:30 to 16:00 in New York; some sources begin hours at 9:00."""
    from_nine = np.array([day * 24 + hour for day in (1, 2) for hour in range(14, 21)])
    opened = MONDAY_MS + from_nine * HOUR_MS + minute * 60_000
    start, end = MONDAY_MS + DAY_MS, MONDAY_MS + 3 * DAY_MS

    def said(kept: NDArray[np.int64]) -> tuple[str, ...]:
        one = np.ones(len(kept))
        candles = Candles(Interval.H1, kept, one, one, one, one, one, 0, "XNYS")
        return coverage_warnings(candles, start, end)

    assert said(opened) == ()
    assert said(np.delete(opened, 5)) == ("gaps",)
    assert said(opened[1:]) == ("starts_late",)
    assert said(opened[:-1]) == ("ends_early",)
    longer = np.arange(opened[0] - 5 * HOUR_MS, opened[-1] + 3 * HOUR_MS, HOUR_MS)
    assert said(longer) == ()
