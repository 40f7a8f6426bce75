"""warehouse/merge.py: loads, and the revisions they cause."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mela.interval import Interval
from mela.settings import Settings
from tests.warehouse.given import START, action, answer, at, load, rows
from warehouse.merge import Merged

pytestmark = pytest.mark.integration
NUMBERS = count()
APPLE = "yahoo:AAPL"
SPLIT = action("split", date(2024, 1, 3), 4.0)
PAID = action("dividend", date(2024, 1, 5), 0.25)


def revisions(warehouse: Settings, interval: str = "1h") -> list[tuple[int, str, str, str]]:
    return [
        (row.revision, f"{row.first_opened_at:%d %H}", f"{row.last_opened_at:%d %H}", row.reason)
        for row in rows(
            warehouse,
            "SELECT * FROM ops.candle_revision WHERE interval = :interval ORDER BY revision",
            interval=interval,
        )
    ]


def test_a_load_twice_is_a_load_once(warehouse: Settings) -> None:
    assert load(warehouse, answer([1.0, 2.0, 3.0])) == Merged(3, 0, 0, 0, 1)
    assert load(warehouse, answer([1.0, 2.0, 3.0])) == Merged(0, 0, 3, 0, None)
    assert revisions(warehouse) == [(1, "01 00", "01 02", "candles")]


def test_a_restated_candle_raises_one_revision_that_touches_it_alone(warehouse: Settings) -> None:
    load(warehouse, answer([1.0, 2.0, 3.0]))
    assert load(warehouse, answer([1.0, 2.5, 3.0])) == Merged(0, 1, 2, 0, 2)
    assert revisions(warehouse)[1:] == [(2, "01 01", "01 01", "candles")]
    stored = rows(warehouse, "SELECT close, revision FROM raw.candle ORDER BY opened_at")
    assert stored == [(1.0, 1), (2.5, 2), (3.0, 1)]


def test_counts_tell_new_changed_and_unchanged_apart(warehouse: Settings) -> None:
    load(warehouse, answer([1.0, 2.0, 3.0]))
    assert load(warehouse, answer([1.0, 2.5, 3.0, 4.0, 5.0])) == Merged(2, 1, 2, 0, 2)
    assert revisions(warehouse)[1:] == [(2, "01 01", "01 04", "candles")]


def test_an_empty_answer_changes_nothing(warehouse: Settings) -> None:
    assert load(warehouse, answer([])) == Merged(0, 0, 0, 0, None)
    assert revisions(warehouse) == []


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1.0, 2.0])), max_size=8))
def test_the_last_word_counts_and_each_change_is_one_revision(
    warehouse: Settings, said: list[tuple[int, float]]
) -> None:
    """A law of upserts, whatever comes in whatever order."""
    name = f"binance:LAW{next(NUMBERS)}"
    truth: dict[int, float] = {}
    changes = 0
    for hour, close in said:
        load(warehouse, answer([close], start=START + timedelta(hours=hour), name=name))
        changes += truth.get(hour) != close
        truth[hour] = close

    query = (
        f"FROM {{}} c JOIN ops.instrument i ON i.id = c.instrument_id WHERE symbol = '{name[8:]}'"
    )
    stored = rows(warehouse, f"SELECT close {query.format('raw.candle')} ORDER BY opened_at")
    assert [row.close for row in stored] == [truth[hour] for hour in sorted(truth)]
    assert len(rows(warehouse, f"SELECT {query.format('ops.candle_revision')}")) == changes


def test_revision_numbers_follow_commits(warehouse: Settings) -> None:
    """Eight loads at once, a candle each: who sees n candles sees revision n, at any time."""
    load(warehouse, answer([1.0]))
    seen: list[tuple[int, int]] = []

    def load_hour(hour: int) -> None:
        load(warehouse, answer([1.0], start=START + timedelta(hours=hour)))

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load_hour, hour) for hour in range(1, 9)]
        while not all(one.done() for one in loads):
            seen += rows(
                warehouse,
                "SELECT (SELECT count(*) FROM raw.candle),"
                " (SELECT max(revision) FROM ops.candle_revision)",
            )
        assert [one.result() for one in loads]

    assert [revision for revision, *_ in revisions(warehouse)] == list(range(1, 10))
    assert all(candles == revision for candles, revision in seen)


def test_a_new_split_touches_its_day_in_every_interval_stored(warehouse: Settings) -> None:
    """And changes no candle: stored prices are those of the day."""
    days = answer([100.0] * 5, name=APPLE, interval=Interval.D1)
    load(warehouse, days)
    load(warehouse, answer([100.0], name=APPLE, interval=Interval.H1))

    again = answer([100.0] * 5, name=APPLE, interval=Interval.D1, actions=[SPLIT])
    assert load(warehouse, again) == Merged(0, 0, 5, 1, 2)

    touched = (2, "03 00", "03 00", "corporate_action")
    assert revisions(warehouse, "1d")[1:] == [touched]
    assert revisions(warehouse, "1h")[1:] == [touched]
    assert load(warehouse, again) == Merged(0, 0, 5, 0, None)


def test_a_changed_and_a_vanished_event_touch_a_day_each(warehouse: Settings) -> None:
    days = [100.0] * 5
    load(warehouse, answer(days, name=APPLE, interval=Interval.D1, actions=[SPLIT, PAID]))
    more = action("dividend", PAID.effective_on, 0.5)
    merged = load(warehouse, answer(days, name=APPLE, interval=Interval.D1, actions=[more]))
    assert merged == Merged(0, 0, 5, 2, 3)
    assert revisions(warehouse, "1d") == [
        (1, "01 00", "05 00", "candles"),
        (2, "03 00", "03 00", "corporate_action"),
        (3, "05 00", "05 00", "corporate_action"),
    ]
    assert rows(warehouse, "SELECT kind, value FROM raw.corporate_action") == [("dividend", 0.5)]


def test_events_before_the_span_asked_for_stay(warehouse: Settings) -> None:
    days = [100.0] * 5
    load(warehouse, answer(days, name=APPLE, interval=Interval.D1, actions=[SPLIT, PAID]))
    later = answer(
        [100.0], start=at("2024-01-04"), name=APPLE, interval=Interval.D1, actions=[PAID]
    )
    assert load(warehouse, later, since=at("2024-01-04")) == Merged(0, 0, 1, 0, None)
    assert len(rows(warehouse, "SELECT FROM raw.corporate_action")) == 2


def test_an_answer_without_candles_and_events_lets_none_vanish(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 5, name=APPLE, interval=Interval.D1, actions=[SPLIT]))
    assert load(warehouse, answer([], name=APPLE, interval=Interval.D1)).actions == 0


def test_new_events_within_new_candles_need_no_revision_of_their_own(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 5, name=APPLE, interval=Interval.D1, actions=[SPLIT, PAID]))
    assert revisions(warehouse, "1d") == [(1, "01 00", "05 00", "candles")]
