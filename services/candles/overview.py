"""Stored candles day by day, and the findings about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mela.calendars import expected_opens_ms
from mela.errors import InputInvalid, NotFound
from mela.instants import from_ms, to_ms
from mela.interval import DAY_MS, Interval
from mela.name_suggestions import did_you_mean, ended
from mela.settings import Settings
from warehouse.candles import overview
from warehouse.candles.coverage import coverage
from warehouse.candles.overview import CheckRow, FindingRow, InstrumentRow
from warehouse.database import transaction
from warehouse.ingestion import instruments

Int = NDArray[np.int64]
MOST_CANDLES = 600_000  # of a series, looked at at once; of more the newest are
MOST_GAPS = 500


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A stored series, from its first candle to its last. findings: open ones, gaps among them."""

    instrument: str
    interval: str
    first_opened_at: datetime
    last_opened_at: datetime
    is_watched: bool
    findings: int
    gaps: int


@dataclass(frozen=True, slots=True)
class DayCovered:
    """A day in UTC: candles that are stored, and that the calendar expects."""

    day: date
    stored: int
    expected: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Expected candles in a row that are not stored: [start, end)."""

    start: datetime
    end: datetime
    candles: int


@dataclass(frozen=True, slots=True)
class SeriesCovered:
    """A series over [start, end), day by day. gaps: the longest first."""

    instrument: str
    interval: str
    calendar: str
    first_opened_at: datetime | None
    last_opened_at: datetime | None
    start: datetime
    end: datetime
    stored: int
    expected: int
    days: tuple[DayCovered, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class FindingInWords:
    """A finding. message: what it is, in words."""

    id: int
    instrument: str
    interval: str
    kind: str
    severity: str
    state: str
    first_opened_at: datetime
    last_opened_at: datetime
    candles: int
    message: str
    detail: Mapping[str, Any]
    found_at: datetime
    resolved_at: datetime | None


KINDS: Mapping[str, str] = {
    "missing": "candles are missing",
    "spacing": "candles do not open where the calendar expects them",
    "ohlc": "candles are not closed, close at another time than expected, or repeat exactly",
    "outlier": "prices jump away and back",
    "zero_volume": "candles have no volume",
    "stale": "the newest candles are missing",
}


def list_instruments(
    settings: Settings, words: str | None, limit: int
) -> tuple[list[InstrumentRow], bool]:
    """Return instruments by name, and whether there are more."""
    with transaction(settings) as connection:
        found = overview.instrument_rows(connection, words, limit + 1)
    return found[:limit], len(found) > limit


def list_series(settings: Settings) -> list[SeriesRow]:
    """Return all stored series."""
    with transaction(settings) as connection:
        spans = coverage(connection)
        watched = set(instruments.watched(connection))
        findings = overview.open_findings(connection)
    return [
        SeriesRow(
            one.instrument,
            one.interval,
            one.first_opened_at,
            one.last_opened_at,
            (one.instrument, one.interval) in watched,
            *findings.get((one.instrument, one.interval), (0, 0)),
        )
        for one in spans
    ]


def series_covered(
    settings: Settings,
    instrument: str,
    interval: Interval,
    start: datetime | None = None,
    end: datetime | None = None,
) -> SeriesCovered:
    """Return for each day how many candles are stored and how many are expected.

    start, end: None for the ends of what is stored. With more than 600,000 candles only the newest
    are read. Raises NotFound for an instrument never loaded, InputInvalid for an empty span.
    """
    with transaction(settings) as connection:
        known = instruments.known(connection, [instrument]).get(instrument)
        if known is None:
            question = did_you_mean(instrument, instruments.names(connection))
            raise NotFound(ended(f"{instrument} was never loaded{question}"))
        spans = [one for one in coverage(connection, [instrument]) if one.interval == interval]
        first = spans[0].first_opened_at if spans else None
        last = spans[0].last_opened_at if spans else None
        begin, until = _span(interval, first, last, start, end)
        stored = overview.stored_opens(connection, instrument, interval, begin, until)
    expected = expected_opens_ms(known.calendar, interval, to_ms(begin), to_ms(until))
    return SeriesCovered(
        instrument=instrument,
        interval=interval.value,
        calendar=known.calendar,
        first_opened_at=first,
        last_opened_at=last,
        start=begin,
        end=until,
        stored=len(stored),
        expected=len(expected),
        days=tuple(days_covered(stored, expected)),
        gaps=tuple(gaps_in(stored, expected, interval)[:MOST_GAPS]),
    )


def days_covered(stored: Int, expected: Int) -> list[DayCovered]:
    """Return the days on which a candle is stored or expected.

    stored, expected: rising UTC milliseconds of openings

    >>> days_covered(np.array([0]), np.array([0, 3_600_000]))
    [DayCovered(day=datetime.date(1970, 1, 1), stored=1, expected=2)]
    """
    days, counts = np.unique(stored // DAY_MS, return_counts=True)
    wanted_days, wanted = np.unique(expected // DAY_MS, return_counts=True)
    have = dict(zip(days.tolist(), counts.tolist(), strict=True))
    want = dict(zip(wanted_days.tolist(), wanted.tolist(), strict=True))
    epoch = date(1970, 1, 1)
    return [
        DayCovered(epoch + timedelta(days=day), have.get(day, 0), want.get(day, 0))
        for day in sorted(have.keys() | want.keys())
    ]


def gaps_in(stored: Int, expected: Int, interval: Interval) -> list[Gap]:
    """Return where expected candles are missing in a row, the longest first.

    >>> gaps_in(np.array([0]), np.array([0, 3_600_000]), Interval.H1)[0].candles
    1
    """
    missing = np.flatnonzero(~np.isin(expected, stored, assume_unique=True))
    if not len(missing):
        return []
    parts = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    parts.sort(key=len, reverse=True)
    return [
        Gap(
            from_ms(int(expected[part[0]])),
            from_ms(interval.end_ms(int(expected[part[-1]]))),
            len(part),
        )
        for part in parts
    ]


def quality(
    settings: Settings,
    *,
    instrument: str | None,
    interval: Interval | None,
    states: Collection[str],
    limit: int,
) -> tuple[list[CheckRow], list[FindingInWords], bool]:
    """Return the last checks, what they found, the worst first, and whether there is more."""
    length = None if interval is None else interval.value
    with transaction(settings) as connection:
        checks = overview.last_checks(connection, instrument=instrument, interval=length)
        found = overview.finding_rows(
            connection,
            instrument=instrument,
            interval=length,
            states=states,
            most=limit + 1,
        )
    return checks, [_in_words(one) for one in found[:limit]], len(found) > limit


def _in_words(one: FindingRow) -> FindingInWords:
    told = "; ".join(_phrase(name, value) for name, value in one.detail.items() if name != "asked")
    message = KINDS.get(one.kind, one.kind) + (f" ({told})" if told else "")
    return FindingInWords(
        id=one.id,
        instrument=one.instrument,
        interval=one.interval,
        kind=one.kind,
        severity=one.severity,
        state=one.state,
        first_opened_at=one.first_opened_at,
        last_opened_at=one.last_opened_at,
        candles=one.candles,
        message=message,
        detail=one.detail,
        found_at=one.found_at,
        resolved_at=one.resolved_at,
    )


def _phrase(name: str, value: Any) -> str:
    if name == "what":
        return str(value)
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name.replace('_', ' ')} {value}"


def _span(
    interval: Interval,
    first: datetime | None,
    last: datetime | None,
    start: datetime | None,
    end: datetime | None,
) -> tuple[datetime, datetime]:
    if first is None or last is None:
        if start is None or end is None:
            raise NotFound("no candles of this interval are stored; say start and end to see gaps.")
        behind = end
    else:
        behind = from_ms(interval.end_ms(to_ms(last)))
    begin, until = start or first or behind, end or behind
    if until <= begin:
        raise InputInvalid("end", f"expected an end after {begin}, but found {until}.")
    length = timedelta(milliseconds=interval.fixed_ms or 28 * DAY_MS)
    return max(begin, until - MOST_CANDLES * length), until
