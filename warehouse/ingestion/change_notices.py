"""What changed in raw.candle, as one run of a DAG tells it to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from mela.interval import DAY_MS, Interval
from mela.series import SeriesKey
from warehouse.ingestion.load_plan import parse_series


class ChangeNotice(TypedDict):
    """Changed series, and the half-open span of their loads' candles; JSON."""

    series: list[str]
    start: str | None
    end: str | None


class ChangeScope(NamedTuple):
    """Several pieces of news as one. Of series None: all; of start and end None: without bound."""

    series: list[SeriesKey] | None
    start: datetime | None
    end: datetime | None


def notice_of_loads(reports: Iterable[Mapping[str, Any]]) -> ChangeNotice | None:
    """Return what loads changed, from what `loads.run_batch` said of them; None for nothing.

    The span holds all that the loads answered. It has no bounds where one changed without any
    candle: a corporate action reaches back.
    """
    told = [one for one in reports if one["revision"] is not None or one["actions"]]
    if not told:
        return None
    series = sorted({f"{one['instrument']} {one['interval']}" for one in told})
    if not all(one["first_opened_at"] for one in told):
        return ChangeNotice(series=series, start=None, end=None)
    lasts = [
        datetime.fromisoformat(one["last_opened_at"]) + _length(Interval(one["interval"]))
        for one in told
    ]
    start = min(datetime.fromisoformat(one["first_opened_at"]) for one in told)
    return ChangeNotice(series=series, start=start.isoformat(), end=max(lasts).isoformat())


def requested_scope(
    instruments: Iterable[str] | None = None, start: str | None = None, end: str | None = None
) -> ChangeScope | None:
    """Return what somebody asked about, in a form's fields; None where they are all empty.

    Each field bounds alone: a span without series is of all series, and a start needs no end.
    """
    series = parse_series(instruments)
    if not (series or start or end):
        return None
    first, last = (datetime.fromisoformat(at) if at else None for at in (start, end))
    return ChangeScope(series or None, first, last)


def merge_notices(told: Iterable[Mapping[str, Any]]) -> ChangeScope:
    """Return several pieces of news as one; of none, or of one that says nothing, everything."""
    pieces = list(told)
    if not pieces or not all(one.get("series") for one in pieces):
        return ChangeScope(None, None, None)
    series = parse_series(sorted({line for one in pieces for line in one["series"]}))
    if not all(one.get("start") and one.get("end") for one in pieces):
        return ChangeScope(series, None, None)
    starts = [datetime.fromisoformat(one["start"]) for one in pieces]
    ends = [datetime.fromisoformat(one["end"]) for one in pieces]
    return ChangeScope(series, min(starts), max(ends))


def _length(interval: Interval) -> timedelta:
    return timedelta(milliseconds=interval.fixed_ms or 31 * DAY_MS)
