"""warehouse/ingestion/merge.py: loads, and the revisions they cause."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from time import perf_counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mela.interval import Interval
from mela.settings import Settings
from sources.protocol import CorporateAction, FetchedCandles
from sources.splits import dividend_as_paid, ratios, restore_prices
from tests.warehouse.given import START, action, answer, at, load, rows
from warehouse.ingestion.merge import Merged

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


def apple_says(traded: list[float], *splits: CorporateAction) -> FetchedCandles:
    """Return what YahooSource makes of Yahoo's answer on days of 2014, after some splits."""
    days = answer(
        traded,
        start=at("2014-06-04"),
        name=APPLE,
        interval=Interval.D1,
        actions=splits,
        source="yahoo",
    )
    ratio = ratios(days.opened_ms, splits)
    said = np.array([np.float32(round(price, 6)) for price in days.close / ratio], np.float64)
    prices = restore_prices(said, ratio)
    return replace(days, open=prices, high=prices, low=prices, close=prices)


def test_a_later_split_restates_no_price_that_it_only_made_coarser(warehouse: Settings) -> None:
    """Apple's two splits, 7:1 and 4:1, on prices of more decimals than Yahoo keeps beside them."""
    traded = [644.823456, 647.351234, 645.574321, 93.698765]
    seven = action("split", date(2014, 6, 9), 7.0)
    four = action("split", date(2020, 8, 31), 4.0)
    first, second, third = (apple_says(traded, *s) for s in ([], [seven], [seven, four]))
    assert not np.array_equal(first.close, third.close)
    assert load(warehouse, first, since=at("2014-06-04")).inserted == 4

    merged = [load(warehouse, later, since=at("2014-06-04")) for later in (second, third)]
    assert [(m.updated, m.unchanged, m.actions) for m in merged] == [(0, 4, 1), (0, 4, 1)]
    stored = rows(warehouse, "SELECT close FROM raw.candle ORDER BY opened_at")
    assert [row.close for row in stored] == first.close.tolist()
    assert rows(warehouse, "SELECT FROM raw.candle_version") == []


def test_a_cent_is_a_restatement_after_splits_too(warehouse: Settings) -> None:
    splits = [action("split", date(2014, 6, 9), 7.0), action("split", date(2020, 8, 31), 4.0)]
    load(warehouse, apple_says([644.82, 647.35], *splits), since=at("2014-06-04"))
    again = apple_says([644.82, 647.36], *splits)
    assert load(warehouse, again, since=at("2014-06-04")).updated == 1


def test_a_vendor_that_says_traded_prices_is_taken_at_its_last_digit(warehouse: Settings) -> None:
    split = action("split", date(2024, 1, 3), 4.0)
    days = answer([100.0, 25.0], name=APPLE, interval=Interval.D1, actions=[split])
    load(warehouse, days)
    a_bit_more = np.nextafter(days.close, np.inf)
    changed = replace(days, high=a_bit_more)
    assert load(warehouse, changed).updated == 2


def test_a_dividend_that_a_split_made_coarser_is_the_same(warehouse: Settings) -> None:
    """0.378571 of before the 7:1 split is 0.054082 of today; times 7, rounded, 0.37857."""
    paid, split = date(2012, 8, 9), action("split", date(2014, 6, 9), 7.0)
    days = answer([600.0], start=at("2012-08-08"), name=APPLE, interval=Interval.D1, source="yahoo")
    before = dividend_as_paid(paid, 0.378571, [])
    after = dividend_as_paid(paid, round(0.378571 / 7, 6), [split])
    assert before.value != after.value
    load(warehouse, replace(days, actions=(before,)), since=at("2012-08-08"))
    merged = load(warehouse, replace(days, actions=(after, split)), since=at("2012-08-08"))
    assert merged.actions == 1  # the split
    assert rows(warehouse, "SELECT value FROM raw.corporate_action WHERE kind = 'dividend'") == [
        (0.378571,)
    ]


def test_a_session_date_alone_is_a_change(warehouse: Settings) -> None:
    days = answer([1.0, 2.0], name=APPLE, interval=Interval.D1)
    load(warehouse, days)
    dated = replace(days, session_on=[date(2024, 1, 1), date(2024, 1, 2)])
    assert load(warehouse, dated).updated == 2
    assert load(warehouse, dated).unchanged == 2


def test_many_restatements_of_a_fresh_series_do_not_compare_each_with_every(
    warehouse: Settings,
) -> None:
    """Postgres knows nothing of a table just filled; it once took minutes for what takes one.

    A load's time is held against that of the first one: a busy machine needs longer for both.
    """
    closes = np.arange(1.0, 60_001.0)
    began = perf_counter()
    load(warehouse, answer(closes, interval=Interval.M1))
    filled = perf_counter()
    assert load(warehouse, answer(closes + 1, interval=Interval.M1)).updated == len(closes)
    assert perf_counter() - filled < 10 * (filled - began)
    kept = rows(warehouse, "SELECT count(*), sum(close) FROM raw.candle_version")
    assert kept == [(len(closes), closes.sum())]
