"""sources/resample.py: longer candles of shorter ones, against pandas."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mela.calendars import closes_ms, expected_opens_ms
from mela.errors import SourceRefused
from mela.instrument import Instrument
from mela.interval import Interval
from sources.protocol import FetchedCandles, to_ms
from sources.resample import fetch_resampled, finer_interval, resample
from sources.row_validation import Rows
from sources.splits import split
from tests.sources.conftest import at

# how pandas names our intervals, and from where it counts them
WORDS = {
    "3m": ("3min", "epoch"), "5m": ("5min", "epoch"), "15m": ("15min", "epoch"),
    "30m": ("30min", "epoch"), "1h": ("1h", "epoch"), "2h": ("2h", "epoch"), "4h": ("4h", "epoch"),
    "6h": ("6h", "epoch"), "8h": ("8h", "epoch"), "12h": ("12h", "epoch"), "1d": ("1D", "epoch"),
    "3d": ("3D", "epoch"), "1w": ("7D", pd.Timestamp("2023-01-02", tz="UTC")),
    "1mo": ("MS", "epoch"),
}  # fmt: skip
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def candles(calendar: str, interval: str, opened: np.ndarray, seed: int = 1) -> Rows:
    random = np.random.default_rng(seed)
    prices = np.round(random.uniform(10, 20, (4, len(opened))), 2)
    volume = random.integers(0, 100, len(opened)) / 4
    high, low = prices.max(axis=0), prices.min(axis=0)
    closed = closes_ms(calendar, Interval(interval), opened)
    return Rows(opened, closed, prices[0], high, low, prices[3], volume)


def frame(rows: Rows) -> pd.DataFrame:
    index = pd.to_datetime(rows.opened_ms, unit="ms", utc=True)
    return pd.DataFrame({name: getattr(rows, name) for name in HOW}, index=index)


def same(made: Rows, wanted: pd.DataFrame) -> None:
    opened = wanted.index.as_unit("ms").asi8
    assert made.opened_ms.tolist() == opened.tolist()
    for name in HOW:
        assert np.array_equal(getattr(made, name), wanted[name]), name


@settings(max_examples=60, deadline=None)
@given(
    word=st.sampled_from(sorted(WORDS)),
    finer=st.sampled_from(["1m", "5m", "1h", "1d"]),
    offset=st.integers(0, 20_000),
    count=st.integers(1, 400),
    holes=st.sets(st.integers(0, 399), max_size=60),
    seed=st.integers(0, 99),
)
def test_resampled_is_what_pandas_makes_of_it(
    word: str, finer: str, offset: int, count: int, holes: set[int], seed: int
) -> None:
    """Whatever is missing, and wherever the answer begins."""
    interval, step = Interval(word), Interval(finer).fixed_ms or 0
    if Interval(finer) not in _makers(interval):
        return
    start = to_ms(at("2023-01-01")) // step * step + offset * step
    opened = start + np.arange(count, dtype=np.int64) * step
    opened = opened[[i for i in range(count) if i not in holes]]
    rows = candles("24/7", finer, opened, seed)
    rule, origin = WORDS[word]
    wanted = frame(rows).resample(rule, origin=origin).agg(HOW).dropna()
    same(resample(rows, Interval(finer), interval, "24/7").rows, wanted)


@settings(max_examples=40, deadline=None)
@given(holes=st.sets(st.integers(0, 23), min_size=1, max_size=23))
def test_a_candle_without_all_its_parts_is_marked(holes: set[int]) -> None:
    """A day of hours in four-hour candles: those that miss an hour, and no other, are marked."""
    start = to_ms(at("2023-01-01"))
    hours = [hour for hour in range(24) if hour not in holes]
    opened = start + np.array(hours, dtype=np.int64) * 3_600_000
    made = resample(candles("24/7", "1h", opened), Interval.H1, Interval.H4, "24/7")
    there = {hour // 4 for hour in hours}
    marked = {int(ms - start) // 14_400_000 for ms in made.incomplete_ms}
    assert len(made.rows) == len(there)
    assert marked == {hour // 4 for hour in holes} & there


@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XASX"])
@pytest.mark.parametrize("word", ["2h", "4h", "12h"])
def test_sessions_are_cut_from_their_open(calendar: str, word: str) -> None:
    """New York's clock changed on the 10th; the last candle of a session is cut by its close."""
    since, until = to_ms(at("2024-03-03T21:30")), to_ms(at("2024-03-15T21:30"))
    opened = expected_opens_ms(calendar, Interval.H1, since, until)
    rows = candles(calendar, "1h", opened)
    made = resample(rows, Interval.H1, Interval(word), calendar).rows
    table = frame(rows)
    session = (np.diff(opened, prepend=0) > 3_600_000).cumsum()
    step = pd.Timedelta(word)
    parts = []
    for _, hours in table.groupby(session):
        parts.append(hours.resample(step, origin="start").agg(HOW).dropna())
    same(made, pd.concat(parts))
    assert np.array_equal(made.closed_ms, closes_ms(calendar, Interval(word), made.opened_ms))


@pytest.mark.parametrize("calendar", ["24/7", "24/5", "XNYS", "XASX", "XTKS"])
@pytest.mark.parametrize(
    ("finer", "word"), [("1m", "3m"), ("1h", "1d"), ("1d", "3d"), ("1d", "1w"), ("1h", "1mo")]
)
def test_borders_are_those_that_the_calendar_expects(calendar: str, finer: str, word: str) -> None:
    until = "2024-01-05" if finer == "1m" else "2024-04-01"
    since_ms, until_ms = to_ms(at("2024-01-01")), to_ms(at(until))
    later_ms = until_ms + 31 * 86_400_000 if finer != "1m" else until_ms  # the last one's parts
    opened = expected_opens_ms(calendar, Interval(finer), since_ms, later_ms)
    made = resample(candles(calendar, finer, opened), Interval(finer), Interval(word), calendar)
    wanted = expected_opens_ms(calendar, Interval(word), since_ms, until_ms)
    inside = made.rows.opened_ms[made.rows.opened_ms >= since_ms]
    inside = inside[inside < until_ms]
    assert np.array_equal(inside, wanted)
    whole = set(made.rows.opened_ms[1:-1].tolist())
    assert not whole & set(made.incomplete_ms.tolist())


def test_a_split_inside_is_told_in_shares_of_the_first_day() -> None:
    """4:1 on Wednesday: Tuesday closed at 400, Wednesday traded at 100."""
    days = np.array([to_ms(at(f"2024-01-0{day}")) for day in (1, 2, 3)], dtype=np.int64)
    flat = np.array([400.0, 400.0, 100.0])
    high = np.array([410.0, 405.0, 110.0])
    volume = np.array([10.0, 10.0, 40.0])
    rows = Rows(days, days + 86_400_000, flat, high, flat, flat, volume)
    splits = [split(date(2024, 1, 3), 4.0)]
    made = resample(rows, Interval.D1, Interval.W1, "24/7", splits).rows
    found = [float(getattr(made, name)[0]) for name in HOW]
    assert found == [400.0, 440.0, 400.0, 400.0, 30.0]


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("3m", ["1m", "5m", "1h"], "1m"),
        ("30m", ["1m", "5m", "15m", "1h"], "15m"),
        ("12h", ["1h", "4h", "1d"], "4h"),
        ("8h", ["1h", "6h"], "1h"),
        ("1w", ["1h", "1d", "3d"], "1d"),
        ("1mo", ["4h", "1w"], "4h"),
        ("3d", ["12h", "1d"], "1d"),
    ],
)
def test_the_longest_that_fits_is_taken(wanted: str, offered: list[str], found: str) -> None:
    assert finer_interval(Interval(wanted), [Interval(word) for word in offered]) == found


def test_nothing_is_made_of_longer_ones() -> None:
    with pytest.raises(SourceRefused, match=r"3m candles are not offered.*5m, 1h"):
        finer_interval(Interval.M3, [Interval.H1, Interval.M5])


def test_the_span_is_that_of_the_longer_candles_and_only_closed_ones_count() -> None:
    """[02:00, 09:00) of four-hour candles is 04:00 and 08:00; at 11:30 the second is not over."""
    asked: list[tuple[Interval, str, str]] = []

    def fetch(symbol: str, interval: Interval, start, end) -> FetchedCandles:
        asked.append((interval, str(start)[11:16], str(end)[11:16]))
        opened = expected_opens_ms("24/7", interval, to_ms(start), to_ms(end))
        now = to_ms(at("2024-01-01T11:30"))
        rows = candles("24/7", "1h", opened[opened + 3_600_000 <= now])
        return FetchedCandles(
            instrument=Instrument("x", symbol, "spot", "USD", "24/7"),
            interval=interval,
            session_on=None,
            actions=(),
            rejected=(),
            request={"symbol": symbol},
            origin="replay",
            source="x",
            as_of_ms=now,
            **{name: getattr(rows, name) for name in ("opened_ms", "closed_ms", *HOW)},
        )

    span = (at("2024-01-01T02:00"), at("2024-01-01T09:00"))
    found = fetch_resampled(fetch, [Interval.H1], "BTC", Interval.H4, *span)
    assert asked == [(Interval.H1, "02:00", "13:00")]
    assert [str(ms)[11:16] for ms in found.opened_ms.astype("datetime64[ms]")] == ["04:00"]
    assert (found.interval, found.resampled_from) == (Interval.H4, Interval.H1)
    assert found.request == {"symbol": "BTC", "resampled_from": "1h"}
    assert found.incomplete_ms == ()


def _makers(interval: Interval) -> list[Interval]:
    found = []
    for finer in Interval:
        try:
            found.append(finer_interval(interval, [finer]))
        except SourceRefused:
            continue
    return found
