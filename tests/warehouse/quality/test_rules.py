"""warehouse/quality/rules.py: what counts as wrong, on real candles and on small ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import replay
from mela.calendars import closes_ms, date_ms, expected_opens_ms
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from mela.run import to_ms
from tests.warehouse.given import at
from warehouse.candles.adjust import Event
from warehouse.quality import rules
from warehouse.quality.rules import Defect, StoredCandles

DATA = Path(replay.__file__).parent / "data"
NOW = to_ms(at("2026-01-01"))
APPLES_SPLITS = [
    *(
        Event("split", date_ms(date(2000, 6, 21)), 2.0),
        Event("split", date_ms(date(2005, 2, 28)), 2.0),
    ),
    *(
        Event("split", date_ms(date(2014, 6, 9)), 7.0),
        Event("split", date_ms(date(2020, 8, 31)), 4.0),
    ),
]


def packaged(name: str, calendar: str) -> StoredCandles:
    table = pd.read_parquet(DATA / f"{name}.parquet")
    opened = table["open_time"].dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    interval = Interval(name.rpartition("_")[2])
    columns = {one: table[one].to_numpy(np.float64) for one in ("open", "high", "low", "close")}
    return StoredCandles(
        *(calendar, interval, opened, closes_ms(calendar, interval, opened)),
        **columns,
        volume=table["volume"].to_numpy(np.float64),
    )


def series(
    closes: list[float], calendar: str = "24/7", interval: Interval = Interval.H1, **changes: Any
) -> StoredCandles:
    start = to_ms(at("2024-01-01"))
    opened = expected_opens_ms(calendar, interval, start, start + 4_000 * DAY_MS)[: len(closes)]
    close = np.array(closes)
    columns: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), close)
    columns["volume"] = np.ones(len(close))
    columns |= {name: np.array(column, dtype=np.float64) for name, column in changes.items()}
    return StoredCandles(
        calendar, interval, opened, closes_ms(calendar, interval, opened), **columns
    )


def wrong(one: StoredCandles, splits: list[Event] | None = None, now_ms: int = NOW) -> list[Defect]:
    ends = int(one.opened_ms[0]), int(one.opened_ms[-1]) + 1
    expected = expected_opens_ms(one.calendar, one.interval, *ends)
    return rules.check(one, expected, splits or [], now_ms)


def calm(n: int = 600) -> list[float]:
    """A price that moves by about a tenth of a per cent each candle."""
    return (100 * np.exp(0.001 * np.sin(np.arange(n) * 2.4))).tolist()


def test_the_halt_of_march_2023_is_all_that_bitcoins_hours_lack() -> None:
    found = wrong(packaged("binance_BTCUSDT_1h", "24/7"))
    [gap] = [one for one in found if one.kind == "missing"]
    halt = to_ms(at("2023-03-24T13:00"))
    assert (gap.first_ms, gap.last_ms, gap.candles, gap.severity) == (halt, halt, 1, "error")
    assert {one.kind for one in found} <= {"missing", "outlier"}


def test_no_session_is_missed_in_23_years_of_stocks() -> None:
    """Half days, holidays and the closures of September 2001 are in the calendar."""
    assert wrong(packaged("lean-equity_SPY_1d", "XNYS")) == []


def test_bad_prints_are_outliers_and_splits_are_not() -> None:
    """Three lows of Apple at a tenth of the price; each split that is not told looks like one."""
    apple = packaged("lean-equity_AAPL_1d", "XNYS")
    found = wrong(apple, APPLES_SPLITS)
    assert [(_day(one), one.detail["of"]) for one in found] == [
        ("2009-09-21", "low"),
        ("2010-08-31", "low"),
        ("2011-01-03", "low"),
    ]
    unknown = [one for one in wrong(apple, APPLES_SPLITS[:2]) if "looks_like_split" in one.detail]
    assert [(_day(one), one.detail["looks_like_split"]) for one in unknown] == [("2014-06-09", 7.0)]


def _day(one: Defect) -> str:
    return str(np.datetime64(one.first_ms, "ms").astype("datetime64[D]"))


def test_a_half_day_has_fewer_minutes() -> None:
    """The day after Thanksgiving 2024 closed at 13:00 in New York."""
    start, end = to_ms(at("2024-11-29")), to_ms(at("2024-11-30"))
    minutes = expected_opens_ms("XNYS", Interval.M1, start, end)
    assert len(minutes) == 210
    day = StoredCandles("XNYS", Interval.M1, minutes, minutes + MINUTE_MS, *[np.full(210, 5.0)] * 5)
    assert rules.missing(day, minutes) == []
    rest = _without(day, [60, 61, 209])
    gaps = rules.missing(rest, minutes)
    assert [(one.first_ms, one.candles) for one in gaps] == [
        (int(minutes[60]), 2),
        (int(minutes[209]), 1),
    ]


def _without(one: StoredCandles, rows: list[int]) -> StoredCandles:
    columns = ("opened_ms", "closed_ms", "open", "high", "low", "close", "volume")
    kept = [np.delete(getattr(one, name), rows) for name in columns]
    return StoredCandles(one.calendar, one.interval, *kept)


def test_vendors_that_cut_sessions_at_whole_hours_miss_nothing() -> None:
    ends = to_ms(at("2024-11-25")), to_ms(at("2024-12-07"))
    true = expected_opens_ms("XNYS", Interval.H1, *ends)
    whole = np.unique(true // HOUR_MS * HOUR_MS)
    stored = StoredCandles(
        "XNYS",
        Interval.H1,
        whole,
        closes_ms("XNYS", Interval.H1, whole),
        *[np.ones(len(whole))] * 5,
    )
    assert np.array_equal(rules.grid(stored, true), whole)
    assert [one.kind for one in rules.check(stored, true, [], NOW)] == []


def test_candles_off_the_grid() -> None:
    one = series(calm(50))
    one.opened_ms[10:12] += MINUTE_MS
    found = {each.kind: each for each in wrong(one)}
    assert (found["spacing"].candles, found["spacing"].severity) == (2, "error")
    assert found["missing"].candles == 2


def test_a_move_that_comes_back_is_an_outlier_and_one_that_stays_is_not() -> None:
    prices = calm()
    spike, crash = prices.copy(), prices.copy()
    spike[300] *= 1.2
    crash[300:] = [0.8 * price for price in crash[300:]]
    [found] = wrong(series(spike))
    assert (found.kind, found.candles, found.detail["of"]) == ("outlier", 1, "close")
    assert found.detail["move"] == pytest.approx(0.2, abs=0.01)
    assert wrong(series(crash)) == []


def test_a_spike_of_two_candles_is_one_finding() -> None:
    prices = calm()
    prices[300] *= 1.2
    prices[301] *= 1.2
    [found] = wrong(series(prices))
    assert (found.kind, found.candles) == ("outlier", 2)


def test_candles_without_volume() -> None:
    volume = np.ones(600)
    volume[100:112] = 0
    volume[200:205] = 0  # a short silence is no finding
    [found] = wrong(series(calm(), volume=volume))
    assert (found.kind, found.candles, found.severity) == ("zero_volume", 12, "warning")
    often = np.tile([1.0, 0.0], 300)
    [found] = wrong(series(calm(), volume=often))
    assert (found.candles, found.detail["share"]) == (300, 0.5)
    [found] = wrong(series(calm(), volume=np.zeros(600)))
    assert (found.severity, found.detail["what"]) == ("info", "volume is not reported")


def test_what_the_database_accepts_and_nobody_should_trust() -> None:
    prices = calm(100)
    one = series(prices, high=[price * 1.01 for price in prices])
    one.closed_ms[5] += 1
    for column in (one.open, one.high, one.low, one.close):
        column[20:23] = column[20]
    found = wrong(one, now_ms=int(one.closed_ms[-2]))
    assert [(each.detail["what"], each.candles, each.severity) for each in found] == [
        ("not closed yet", 1, "error"),
        ("closed_at", 1, "warning"),
        ("repeated", 2, "warning"),
    ]


@pytest.mark.parametrize(
    ("now", "watched", "severity"),
    [
        ("2024-01-06T20:00", True, None),  # a Saturday: Friday's candle is there
        ("2024-01-09T22:00", True, None),  # Monday's closed on Monday evening: still on its way
        ("2024-01-10T00:00", True, "warning"),
        ("2024-01-12T00:00", True, "error"),
        ("2024-01-12T00:00", False, "info"),
    ],
)
def test_a_feed_is_stale_by_its_calendar(now: str, watched: bool, severity: str | None) -> None:
    friday = to_ms(at("2024-01-05"))
    asked = ("XNYS", Interval.D1, friday, to_ms(at(now)), rules.grace_ms(Interval.D1))
    found = rules.stale(*asked, watched=watched)
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert rules.stale(*asked, watched=watched, until_ms=friday + DAY_MS) == []
