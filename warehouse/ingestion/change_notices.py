"""Change notices: a DAG run tells others which candles in raw.candle it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from mela.interval import DAY_MS, Interval
from mela.series import SeriesKey
from warehouse.ingestion.load_plan import parse_series


class ChangeNotice(TypedDict):
    """The series that changed, and the half-open span of the loads that changed them, as JSON."""

    series: list[str]
    start: str | None
    end: str | None


class ChangeScope(NamedTuple):
    """Merged change notices. `series=None` means every series.

    start=None or end=None means unbounded.
    """

    series: list[SeriesKey] | None
    start: datetime | None
    end: datetime | None


def notice_of_loads(reports: Iterable[Mapping[str, Any]]) -> ChangeNotice | None:
    """Return the change notice for the reports of `load_plan.run_batch`; None if nothing changed.

    The span covers everything that the loads returned. It is unbounded if a load without candles
    changed something, because a corporate action affects all earlier candles.
    """
    changed = [one for one in reports if one["revision"] is not None or one["actions"]]
    if not changed:
        return None
    series = sorted({f"{one['instrument']} {one['interval']}" for one in changed})
    if not all(one["first_opened_at"] for one in changed):
        return ChangeNotice(series=series, start=None, end=None)
    lasts = [
        datetime.fromisoformat(one["last_opened_at"]) + _length(Interval(one["interval"]))
        for one in changed
    ]
    start = min(datetime.fromisoformat(one["first_opened_at"]) for one in changed)
    return ChangeNotice(series=series, start=start.isoformat(), end=max(lasts).isoformat())


def requested_scope(
    instruments: Iterable[str] | None = None, start: str | None = None, end: str | None = None
) -> ChangeScope | None:
    """Return the scope given in a form's fields; None if all fields are empty.

    Each field restricts by itself: a span without series covers all series, and a start needs no
    end.
    """
    series = parse_series(instruments)
    if not (series or start or end):
        return None
    first, last = (datetime.fromisoformat(at) if at else None for at in (start, end))
    return ChangeScope(series or None, first, last)


def merge_notices(notices: Iterable[Mapping[str, Any]]) -> ChangeScope:
    """Merge change notices. No notice, or one without series, means everything."""
    merged = list(notices)
    if not merged or not all(one.get("series") for one in merged):
        return ChangeScope(None, None, None)
    series = parse_series(sorted({line for one in merged for line in one["series"]}))
    if not all(one.get("start") and one.get("end") for one in merged):
        return ChangeScope(series, None, None)
    starts = [datetime.fromisoformat(one["start"]) for one in merged]
    ends = [datetime.fromisoformat(one["end"]) for one in merged]
    return ChangeScope(series, min(starts), max(ends))


def _length(interval: Interval) -> timedelta:
    return timedelta(milliseconds=interval.fixed_ms or 31 * DAY_MS)
