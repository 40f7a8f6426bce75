"""Check stored candles, series by series, and store the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from mela.calendars import date_ms, expected_opens_ms
from mela.errors import CandlesMissing
from mela.interval import DAY_MS, Interval
from mela.run import from_ms, to_ms
from mela.settings import Settings
from warehouse.binary import decode
from warehouse.candles.adjust import Event
from warehouse.candles.postgres_candles import SNAPSHOT
from warehouse.database import copy_out, engine_for, transaction
from warehouse.ingestion.load_batches import close_abandoned
from warehouse.quality.findings import Check, Finding, SeriesScan, findings, store_check
from warehouse.quality.rules import Defect, Int, StoredCandles, check, grace_ms, stale

LOG = structlog.get_logger(__name__)
CONTEXT_CANDLES = 1_000  # candles on either side of a span that its candles are compared with
EDGE_CANDLES = 5  # candles from the edge of the range read, where a finding may be cut off
READ_CHUNK = 1_000_000
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
TYPES = {"opened_at": "timestamptz", "closed_at": "timestamptz"} | dict.fromkeys(
    ("open", "high", "low", "close", "volume"), "float8"
)
_SERIES = text("""
    WITH series AS (
        SELECT instrument_id, interval FROM ops.candle_revision
        UNION SELECT instrument_id, interval FROM ops.watch
    )
    SELECT i.id, i.venue || ':' || i.symbol AS name, s.interval, i.calendar,
           i.listed_on, i.delisted_on, w.interval IS NOT NULL AS watched
    FROM series s JOIN ops.instrument i ON i.id = s.instrument_id
    LEFT JOIN ops.watch w ON w.instrument_id = s.instrument_id AND w.interval = s.interval
    ORDER BY name, s.interval
""")
_ENDS = text("""
    SELECT min(opened_at), max(opened_at) FROM raw.candle
    WHERE instrument_id = :id AND interval = :interval
""")
_FROM_REPLAY = text("""
    SELECT b.origin = 'replay' FROM raw.candle c JOIN ops.load_batch b ON b.id = c.load_batch_id
    WHERE c.instrument_id = :id AND c.interval = :interval AND c.opened_at = :newest
""")
_AROUND = text("""
    SELECT (SELECT min(opened_at) FROM (
                SELECT opened_at FROM raw.candle
                WHERE instrument_id = :id AND interval = :interval AND opened_at < :start
                ORDER BY opened_at DESC LIMIT :around) AS before),
           (SELECT max(opened_at) FROM (
                SELECT opened_at FROM raw.candle
                WHERE instrument_id = :id AND interval = :interval AND opened_at >= :end
                ORDER BY opened_at LIMIT :around) AS after)
""")
_CANDLES = f"""
    SELECT {", ".join(TYPES)} FROM raw.candle
    WHERE instrument_id = %(id)s AND interval = %(interval)s
      AND opened_at >= %(start)s AND opened_at <= %(end)s
    ORDER BY opened_at LIMIT {READ_CHUNK}
"""  # noqa: S608  made of the constants above
_SPLITS = text("""
    SELECT kind, (extract(epoch FROM effective_on) * 1000)::bigint, value
    FROM raw.corporate_action WHERE instrument_id = :id AND kind = 'split' ORDER BY effective_on
""")


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The outcome of a check. findings: open and confirmed ones of the checked series and spans."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether no error is open."""
        return not any(one.is_error for one in self.findings)


def check_quality(
    settings: Settings,
    series: Sequence[tuple[str, Interval]] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    load_batch_id: int | None = None,
    now: datetime | None = None,
) -> QualityReport:
    """Check candles, and store the findings in ops.quality_check and ops.quality_finding.

    series: (instrument, interval); None means all that were ever loaded, and the watch list
    start, end: None means from the first stored candle until now; then the check also covers
        whether the newest candle is fresh. A span is judged with 1,000 candles on either side
    load_batch_id: the load that this check follows
    Idempotent: a finding keeps its row while it persists, and becomes `repaired` when it is gone.
    Abandoned load batches are closed first. Raises CandlesMissing for an unknown series, ValueError
    for an invalid span.
    """
    at = now or datetime.now(UTC)
    span = _span(start, end, at)
    with transaction(settings) as connection:
        close_abandoned(connection)
        chosen = _choose(connection, series)
    checks = [_check_one(settings, one, span, load_batch_id) for one in chosen]
    with transaction(settings) as connection:
        names = [(check.instrument, check.interval) for check in checks]
        found = findings(connection, names, start=start, end=end)
    report = QualityReport(tuple(checks), tuple(found))
    LOG.info(
        "quality_checked",
        series=len(checks),
        candles=sum(check.candles for check in checks),
        open_errors=sum(one.is_error for one in found),
    )
    return report


def known_series(connection: Connection) -> list[tuple[str, Interval]]:
    """Return all series that were ever loaded or are watched, ordered by name and interval."""
    return [(row.name, Interval(row.interval)) for row in connection.execute(_SERIES)]


@dataclass(frozen=True, slots=True)
class _CheckSpan:
    start: datetime | None
    end: datetime | None
    now: datetime


def _span(start: datetime | None, end: datetime | None, now: datetime) -> _CheckSpan:
    for at in (start, end, now):
        if at is not None and at.tzinfo is None:
            raise ValueError(f"expected times with a zone, but found {at}")
    if start is not None and start >= min(end or now, now):
        raise ValueError(f"expected a start before {min(end or now, now)}, but found {start}")
    return _CheckSpan(start, end, now)


def _choose(
    connection: Connection, series: Sequence[tuple[str, Interval]] | None
) -> list[Row[Any]]:
    known = {(row.name, row.interval): row for row in connection.execute(_SERIES)}
    if series is None:
        return list(known.values())
    chosen: list[Row[Any]] = []
    for name, interval in dict.fromkeys(series):
        row = known.get((name, Interval(interval).value))
        if row is None:
            raise CandlesMissing(
                f"expected a series that was loaded or is watched, but found {name} {interval}. "
                f"Load it: mela ingest {name} --interval {interval} --from … --to …"
            )
        chosen.append(row)
    return chosen


def _check_one(
    settings: Settings, one: Row[Any], span: _CheckSpan, load_batch_id: int | None
) -> Check:
    seen = _scan(settings, one, span)
    interval = Interval(one.interval)
    with transaction(settings) as connection:
        number, at = store_check(connection, one.id, interval, seen, load_batch_id)
    counts = (seen.candles, seen.expected, seen.expected_until)
    return Check(number, at, one.name, interval, *seen.span, *counts)


def _scan(settings: Settings, one: Row[Any], span: _CheckSpan) -> SeriesScan:
    key = {"id": one.id, "interval": one.interval}
    with engine_for(settings).connect() as plain:
        connection = plain.execution_options(**SNAPSHOT)
        oldest, newest = connection.execute(_ENDS, key).one()
        if oldest is None:
            return _scan_of_empty_series(one, span)
        start = span.start or oldest
        end = min(span.end or span.now, span.now)
        parameters = key | {"start": start, "end": end, "around": CONTEXT_CANDLES}
        first, last = connection.execute(_AROUND, parameters).one()
        read = key | {"start": first or start, "end": last or end}
        series = _read(connection, read, one, before=first, after=last, ends=(oldest, newest))
        splits = [Event(*row) for row in connection.execute(_SPLITS, key)]
        replayed = bool(connection.scalar(_FROM_REPLAY, key | {"newest": newest}))
    seen = _evaluate(one, span, (start, end), (oldest, newest), series, splits)
    return replace(seen, found=[_ease_replayed(each) for each in seen.found]) if replayed else seen


def _evaluate(
    one: Row[Any],
    span: _CheckSpan,
    bounds: tuple[datetime, datetime],
    ends: tuple[datetime, datetime],
    series: StoredCandles,
    splits: list[Event],
) -> SeriesScan:
    interval, now_ms = Interval(one.interval), to_ms(span.now)
    oldest_ms, newest_ms = to_ms(ends[0]), to_ms(ends[1])
    start_ms, end_ms = to_ms(bounds[0]), to_ms(bounds[1])
    # Candles that nobody requested are not missing: before the first and after the newest candle
    # the calendar counts only if a span was given.
    opened = series.opened_ms
    low = min(start_ms, int(opened[0]))
    high = max(end_ms, int(opened[-1]) + 1) if span.end else newest_ms + 1
    low = max(low, min(_day_ms(one.listed_on, 0), oldest_ms))
    high = min(high, max(_delisted_ms(one), newest_ms + 1))
    expected = expected_opens_ms(one.calendar, interval, low, high)
    expected = expected[interval.ends_ms(expected) <= now_ms] if len(expected) else expected
    found = check(series, expected, splits, now_ms)
    found = [_ease_before_listing(each, one, oldest_ms) for each in found]
    to_the_end = span.end is None
    if to_the_end:
        found += stale(
            *(one.calendar, interval, newest_ms, now_ms, grace_ms(interval)),
            watched=one.watched,
            until_ms=_delisted_ms(one),
        )
    border = (
        int(opened[min(EDGE_CANDLES, len(opened) - 1)]) if series.before else min(low, start_ms)
    )
    sure_from = from_ms(border)
    sure_until = from_ms(int(opened[max(-EDGE_CANDLES, -len(opened))])) if series.after else FOREVER
    newest_end = from_ms(interval.end_ms(newest_ms))
    inside = (opened >= start_ms) & (opened < end_ms)
    due = (expected >= start_ms) & (expected < end_ms)
    return SeriesScan(
        span=bounds,
        candles=int(np.count_nonzero(inside)),
        expected=int(np.count_nonzero(due)),
        expected_until=bounds[1] if span.end else max(bounds[0], min(bounds[1], newest_end)),
        found=found,
        seen=(sure_from, sure_until),
        to_the_end=to_the_end,
    )


def _ease_replayed(found: Defect) -> Defect:
    """Lower staleness to `info` for candles from a replay, whose clock stands still."""
    if found.kind != "stale":
        return found
    return replace(found, severity="info", detail=found.detail | {"what": "from a replay"})


def _ease_before_listing(found: Defect, one: Row[Any], oldest_ms: int) -> Defect:
    """Lower a gap before the first candle to `info` if the instrument's listing date is unknown."""
    if found.kind != "missing" or found.last_ms >= oldest_ms or one.listed_on is not None:
        return found
    detail = {"what": "before the first stored candle; the listing date is not known"}
    return replace(found, severity="info", detail=detail)


def _scan_of_empty_series(one: Row[Any], span: _CheckSpan) -> SeriesScan:
    """Return the scan of a series without any stored candle: stale if it is watched."""
    interval, listed_ms = Interval(one.interval), _day_ms(one.listed_on, 0)
    end = min(span.end or span.now, span.now)
    start = span.start or end - 2 * timedelta(milliseconds=grace_ms(interval))
    until_ms = min(to_ms(end), _delisted_ms(one))
    due = expected_opens_ms(one.calendar, interval, max(to_ms(start), listed_ms), until_ms)
    found: list[Defect] = []
    if one.watched and len(due):
        detail = {"what": "no candle was ever stored", "watched": True}
        found = [Defect("stale", listed_ms, int(due[-1]), len(due), "error", detail)]
    return SeriesScan((start, end), 0, len(due), end, found, (start, end), to_the_end=True)


def _read(
    connection: Connection,
    parameters: dict[str, Any],
    one: Row[Any],
    *,
    before: datetime | None,
    after: datetime | None,
    ends: tuple[datetime, datetime],
) -> StoredCandles:
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in TYPES}
    while True:
        columns = decode(copy_out(connection, _CANDLES, parameters), TYPES)
        for name, column in columns.items():
            parts[name].append(column)
        rows = len(columns["opened_at"])
        if rows < READ_CHUNK:
            break
        parameters = parameters | {"start": from_ms(int(columns["opened_at"][-1]) + 1)}
    whole = {name: np.concatenate(parts.pop(name)) for name in TYPES}
    opened: Int = whole.pop("opened_at")
    return StoredCandles(
        calendar=one.calendar,
        interval=Interval(one.interval),
        opened_ms=opened,
        closed_ms=whole.pop("closed_at"),
        before=before is not None and bool(len(opened)) and opened[0] > to_ms(ends[0]),
        after=after is not None and bool(len(opened)) and opened[-1] < to_ms(ends[1]),
        **whole,
    )


def _delisted_ms(one: Row[Any]) -> int:
    return _day_ms(one.delisted_on, 2**53) + (DAY_MS if one.delisted_on else 0)


def _day_ms(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else date_ms(day)
