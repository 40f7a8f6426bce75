"""Steps come in order, once, and only when nothing can come before them any more."""

from __future__ import annotations

import numpy as np

from live.events import CandleClosed, Wanted
from live.sequence import Line, Sequencer, clock_of
from mela.candle_clock import FOREVER_MS, CandleClock
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval

START = 19_723 * DAY_MS  # Monday, 2024-01-01
A, B, DAILY = ("a:X", Interval.H1), ("b:Y", Interval.H1), ("a:X", Interval.D1)


def sequencer(traded, read=()) -> Sequencer:
    lines = {}
    for key in (*traded, *read):
        clock = CandleClock("24/7", key[1], 0)
        lines[key] = Line(key, clock, clock.next_after(START - 1), START - 1)
    return Sequencer(list(traded), list(read), lines)


def candle(key, opened: int, close: float = 1.0, received: int = 0) -> CandleClosed:
    end = key[1].end_ms(opened)
    return CandleClosed(*key, opened, 1.0, 2.0, 0.5, close, 1.0, received or end)


def test_a_step_waits_for_each_instrument_that_is_due() -> None:
    one = sequencer([A, B])
    one.lines[A].take(candle(A, START))
    assert one.step() is None

    one.lines[B].take(candle(B, START))
    step = one.step()
    assert step is not None
    assert [each.instrument for each in step.candles] == ["a:X", "b:Y"]
    assert one.step() is None


def test_a_step_goes_on_without_what_is_absent() -> None:
    one = sequencer([A, B])
    one.lines[A].take(candle(A, START))
    one.lines[B].leave(START, START + HOUR_MS + 9)

    step = one.step()

    assert step is not None
    assert step.candles[1] is None
    assert step.at_ms == START + HOUR_MS + 9


def test_a_longer_input_that_closes_with_a_step_is_waited_for() -> None:
    one = sequencer([A], [DAILY])
    for hour in range(24):
        one.lines[A].take(candle(A, START + hour * HOUR_MS))
        assert (one.step() is not None) == (hour < 23)

    one.lines[DAILY].take(candle(DAILY, START))
    step = one.step()
    assert step is not None
    assert [each.opened_ms for each in step.read[DAILY]] == [START]


def test_what_is_behind_a_gap_is_asked_for_once() -> None:
    one = sequencer([A])
    one.lines[A].take(candle(A, START + 2 * HOUR_MS))

    now = START + 3 * HOUR_MS
    assert one.wanted(now, FOREVER_MS) == [Wanted(*A, START, START + 2 * HOUR_MS)]
    assert one.wanted(now + 1_000, FOREVER_MS) == []
    assert len(one.wanted(now + MINUTE_MS, FOREVER_MS)) == 1


def test_a_candle_restated_before_its_step_counts_as_it_was_said_last_in_either_order() -> None:
    first, later = candle(A, START, 1.0, 5), candle(A, START, 1.5, 6)
    found = []
    for order in ((first, later), (later, first)):
        line = sequencer([A]).lines[A]
        assert [line.take(each) for each in order] == ["new", "restated"]
        found.append(line.waiting[START].close)

    assert found == [1.5, 1.5]


def test_a_candle_that_was_said_to_be_absent_counts_until_its_step_is_taken() -> None:
    line = sequencer([A]).lines[A]
    line.leave(START, 5)
    assert line.take(candle(A, START)) == "new"
    line.taken(START)

    assert line.take(candle(A, START)) == "late"


def test_candles_are_expected_in_the_sessions_of_their_market_and_on_their_own_grid() -> None:
    opens = START + DAY_MS + 14 * HOUR_MS + np.arange(6) * HOUR_MS + 30 * MINUTE_MS
    new_york = clock_of("XNYS", Interval.H1, opens.astype(np.int64))
    on_the_hour = clock_of("XNYS", Interval.H1, (opens - 30 * MINUTE_MS).astype(np.int64))
    friday = START + 4 * DAY_MS

    assert new_york.next_after(friday + 21 * HOUR_MS) == START + 7 * DAY_MS + 52_200_000
    assert on_the_hour.next_after(friday + 21 * HOUR_MS) == START + 7 * DAY_MS + 14 * HOUR_MS


def test_of_a_market_whose_hours_nobody_knows_nothing_is_expected() -> None:
    assert CandleClock("nowhere", Interval.H1, None).next_after(START) == FOREVER_MS
