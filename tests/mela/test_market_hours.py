"""When markets are open: regular sessions, half days, the hours around them, halts."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest

from mela.calendars import NO_SESSION, sessions
from mela.interval import Interval
from mela.market_hours import (
    Phase,
    closes_in,
    is_open,
    next_end_ms,
    opens_in,
    phases,
    trades_in,
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


# In New York: 2024-07-03 is a half day (13:00), 2024-03-11 the first session of daylight saving.
@pytest.mark.parametrize(
    ("at", "regular", "extended"),
    [
        ("2024-03-08T09:29-05:00", 0.0, 1.0),
        ("2024-03-08T09:30-05:00", 1.0, 1.0),
        ("2024-03-11T09:30-04:00", 1.0, 1.0),
        ("2024-03-11T04:00-04:00", 0.0, 1.0),
        ("2024-03-11T03:59-04:00", 0.0, 0.0),
        ("2024-03-11T16:00-04:00", 0.0, 1.0),
        ("2024-03-11T20:00-04:00", 0.0, 0.0),
        ("2024-07-03T12:59-04:00", 1.0, 1.0),
        ("2024-07-03T13:00-04:00", 0.0, 1.0),
        ("2024-07-03T17:00-04:00", 0.0, 0.0),
        ("2024-07-04T12:00-04:00", 0.0, 0.0),  # a holiday
        ("2024-07-06T12:00-04:00", 0.0, 0.0),  # a Saturday
    ],
)
def test_new_york_opens_and_closes_by_its_own_clock(at: str, regular: float, extended: float):
    assert is_open("XNYS", ms(at)) == regular
    assert is_open("XNYS", ms(at), "extended") == extended


def test_other_exchanges_have_no_hours_beyond_their_sessions() -> None:
    at = ms("2024-03-11T07:30+00:00")
    assert (is_open("XLON", at, "extended"), is_open("XLON", at + 1_800_000)) == (0.0, 1.0)


def test_markets_without_sessions_are_open_all_day_currencies_on_weekdays() -> None:
    saturday = ms("2024-03-09T12:00+00:00")
    assert (is_open("24/7", saturday), is_open("24/5", saturday)) == (1.0, 0.0)


def test_a_halt_closes_an_open_market_until_it_ends() -> None:
    at = ms("2024-03-11T12:00-04:00")
    halt = (at - 60_000.0, at + 60_000.0)

    assert is_open("XNYS", at, halts=[halt]) == 0.0
    assert is_open("XNYS", halt[1], halts=[halt]) == 1.0
    assert is_open("XNYS", at, halts=[(halt[0], math.nan)]) == 0.0  # nobody knows when it ends


@pytest.mark.parametrize("at_ms", [math.nan, math.inf, -1e15, 9e12])
def test_an_instant_that_no_calendar_knows_is_neither_open_nor_closed(at_ms: float) -> None:
    assert math.isnan(is_open("XNYS", at_ms))


def test_candles_are_marked_as_their_opening_instants_are_open() -> None:
    """The marks of many candles and the answer of one instant are two ways to the same truth."""
    known = sessions("XNYS")
    rng = np.random.default_rng(3)
    since = int(np.searchsorted(known.open_ms, ms("2019-01-01T00:00+00:00")))
    at = known.open_ms[rng.integers(since, len(known.open_ms) - 5, 400)]
    at = at + rng.integers(-8 * 60, 14 * 60, 400) * 60_000

    marked = phases("XNYS", Interval.M1, at)

    for hours in ("regular", "extended"):
        expected = [is_open("XNYS", int(one), hours) == 1.0 for one in at]
        assert trades_in(marked, hours).tolist() == expected
    assert set(marked.tolist()) == {phase.value for phase in Phase}


def test_days_and_markets_without_sessions_are_marked_regular() -> None:
    midnight = np.array([ms("2024-03-11T00:00+00:00")])
    assert phases("XNYS", Interval.D1, midnight).tolist() == [Phase.REGULAR]
    assert phases("24/7", Interval.M1, midnight).tolist() == [Phase.REGULAR]
    assert phases("24/5", Interval.M1, midnight - 60_000).tolist() == [Phase.CLOSED]


def clock(opened_ms: np.ndarray) -> list[str]:
    return [str(np.datetime64(int(one), "ms"))[5:16] for one in opened_ms]


def test_candles_of_extended_hours_stand_in_each_part_of_the_day() -> None:
    """A half day: it ends at 18:00 UTC, and the hours after it at 22:00."""
    span = ms("2024-11-29T00:00+00:00"), ms("2024-11-30T00:00+00:00")
    opened = opens_in("XNYS", Interval.M30, *span, "extended")

    assert clock(opened)[:1] == ["11-29T09:00"]
    assert clock(opened)[-1:] == ["11-29T21:30"]
    assert len(opened) == 26  # eleven before the session, seven in it, eight after it
    assert (closes_in("XNYS", Interval.M30, opened, "extended") == opened + 1_800_000).all()
    inside = opened[phases("XNYS", Interval.M30, opened) == Phase.REGULAR]
    assert inside.tolist() == opens_in("XNYS", Interval.M30, *span).tolist()


@pytest.mark.parametrize("interval", ["1m", "3m", "5m", "15m", "30m"])
def test_what_opens_in_extended_hours_is_what_is_open_then(interval: str) -> None:
    """Two years, with their half days, holidays and changes of the clock."""
    of = Interval(interval)
    span = ms("2023-01-01T00:00+00:00"), ms("2025-01-01T00:00+00:00")
    opened = opens_in("XNYS", of, *span, "extended")
    step = of.fixed_ms or 0
    every = np.arange(*span, step, dtype=np.int64)

    open_then = every[trades_in(phases("XNYS", of, every), "extended")]

    assert opened.tolist() == open_then.tolist()
    closed = np.setdiff1d(every, opened)
    assert (closes_in("XNYS", of, closed, "extended") == NO_SESSION).all()


def test_a_candle_that_would_lie_in_two_parts_of_a_day_has_regular_hours_alone() -> None:
    span = ms("2024-03-11T00:00-04:00"), ms("2024-03-12T00:00-04:00")
    for interval in (Interval.H1, Interval.D1):
        found = opens_in("XNYS", interval, *span, "extended")
        assert found.tolist() == opens_in("XNYS", interval, *span).tolist()
    assert len(opens_in("XLON", Interval.M30, *span, "extended")) == 17
    assert len(opens_in("24/7", Interval.M30, *span, "extended")) == 48


@pytest.mark.parametrize(
    ("at", "regular", "extended"),
    [
        ("2024-07-03T12:00-04:00", "07-03T17:00", "07-03T21:00"),  # a half day
        ("2024-07-03T16:59-04:00", "07-05T20:00", "07-03T21:00"),
        ("2024-07-03T17:00-04:00", "07-05T20:00", "07-06T00:00"),
    ],
)
def test_a_trading_day_ends_with_its_hours(at: str, regular: str, extended: str) -> None:
    ends = next_end_ms("XNYS", ms(at)), next_end_ms("XNYS", ms(at), "extended")
    assert clock(np.array(ends)) == [regular, extended]
