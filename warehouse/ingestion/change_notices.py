"""What changed in raw.candle, as one run of a DAG tells it to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from mela.interval import DAY_MS, Interval
from warehouse.ingestion.load_plan import Series, named


class News(TypedDict):
    """Changed series, and the half-open span of their loads' candles; JSON."""

    series: list[str]
    start: str | None
    end: str | None


class Heard(NamedTuple):
    """Several pieces of news as one. Of series None: all; of start and end None: without bound."""

    series: list[Series] | None
    start: datetime | None
    end: datetime | None


def news(reports: Iterable[Mapping[str, Any]]) -> News | None:
    """Return what loads changed, from what `loads.run_batch` said of them; None for nothing.

    The span holds all that the loads answered. It has no bounds where one changed without any
    candle: a corporate action reaches back.
    """
    told = [one for one in reports if one["revision"] is not None or one["actions"]]
    if not told:
        return None
    series = sorted({f"{one['instrument']} {one['interval']}" for one in told})
    if not all(one["first_opened_at"] for one in told):
        return News(series=series, start=None, end=None)
    lasts = [
        datetime.fromisoformat(one["last_opened_at"]) + _length(Interval(one["interval"]))
        for one in told
    ]
    start = min(datetime.fromisoformat(one["first_opened_at"]) for one in told)
    return News(series=series, start=start.isoformat(), end=max(lasts).isoformat())


def asked(
    instruments: Iterable[str] | None = None, start: str | None = None, end: str | None = None
) -> Heard | None:
    """Return what somebody asked about, in a form's fields; None where they are all empty.

    Each field bounds alone: a span without series is of all series, and a start needs no end.
    """
    series = named(instruments)
    if not (series or start or end):
        return None
    first, last = (datetime.fromisoformat(at) if at else None for at in (start, end))
    return Heard(series or None, first, last)


def heard(told: Iterable[Mapping[str, Any]]) -> Heard:
    """Return several pieces of news as one; of none, or of one that says nothing, everything."""
    pieces = list(told)
    if not pieces or not all(one.get("series") for one in pieces):
        return Heard(None, None, None)
    series = named(sorted({line for one in pieces for line in one["series"]}))
    if not all(one.get("start") and one.get("end") for one in pieces):
        return Heard(series, None, None)
    starts = [datetime.fromisoformat(one["start"]) for one in pieces]
    ends = [datetime.fromisoformat(one["end"]) for one in pieces]
    return Heard(series, min(starts), max(ends))


def _length(interval: Interval) -> timedelta:
    return timedelta(milliseconds=interval.fixed_ms or 31 * DAY_MS)
