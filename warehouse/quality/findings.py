"""Checks and findings in the database: store a check and merge its findings with the known ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from mela.interval import Interval
from mela.run import from_ms
from warehouse.quality.rules import Defect, Kind, Severity

LOCK = 0x7175  # with the instrument's id: one instrument's findings are merged in turn
_CHECK = text("""
    INSERT INTO ops.quality_check
        (span_start, span_end, instrument_id, interval, candles, expected, load_batch_id)
    VALUES (:start, :end, :id, :interval, :candles, :expected, :load_batch_id)
    RETURNING id, checked_at
""")
# A known finding whose extent changed counts as a new one: its confirmation no longer holds.
_FOUND = text("""
    INSERT INTO ops.quality_finding AS old
        (quality_check_id, instrument_id, interval, kind, first_opened_at, last_opened_at,
         candles, severity, detail)
    SELECT :check, :id, :interval, * FROM unnest(
        CAST(:kinds AS text[]), CAST(:firsts AS timestamptz[]), CAST(:lasts AS timestamptz[]),
        CAST(:candles AS integer[]), CAST(:severities AS text[]), CAST(:details AS jsonb[]))
    ON CONFLICT (instrument_id, interval, kind, first_opened_at) WHERE state <> 'repaired'
    DO UPDATE SET
        last_opened_at = excluded.last_opened_at, candles = excluded.candles,
        severity = excluded.severity,
        detail = CASE WHEN old.last_opened_at = excluded.last_opened_at AND old.detail ? 'asked'
                      THEN excluded.detail || jsonb_build_object('asked', old.detail->'asked')
                      ELSE excluded.detail END,
        state = CASE WHEN old.last_opened_at = excluded.last_opened_at
                     THEN old.state ELSE 'open' END,
        resolved_at = CASE WHEN old.last_opened_at = excluded.last_opened_at
                           THEN old.resolved_at END
    WHERE (old.last_opened_at, old.candles, old.severity)
            IS DISTINCT FROM (excluded.last_opened_at, excluded.candles, excluded.severity)
       OR old.detail - 'asked' <> excluded.detail
""")
_GONE = text("""
    UPDATE ops.quality_finding old SET state = 'repaired', resolved_at = clock_timestamp()
    WHERE instrument_id = :id AND interval = :interval AND state <> 'repaired'
      AND (CASE kind WHEN 'stale' THEN :to_the_end
           ELSE first_opened_at >= :seen_from AND last_opened_at < :seen_until END)
      AND NOT EXISTS (
          SELECT FROM unnest(CAST(:kinds AS text[]), CAST(:firsts AS timestamptz[]))
              AS found (kind, first_opened_at)
          WHERE found.kind = old.kind AND found.first_opened_at = old.first_opened_at)
""")
_FINDINGS = text("""
    SELECT f.id, i.venue || ':' || i.symbol AS instrument, f.interval, f.kind, f.first_opened_at,
           f.last_opened_at, f.candles, f.severity, f.detail, f.state, f.found_at, f.resolved_at
    FROM ops.quality_finding f JOIN ops.instrument i ON i.id = f.instrument_id
    JOIN unnest(CAST(:names AS text[]), CAST(:intervals AS text[])) AS asked (name, interval)
      ON asked.name = i.venue || ':' || i.symbol AND asked.interval = f.interval
    WHERE f.state = ANY(:states)
      AND (CAST(:start AS timestamptz) IS NULL OR f.last_opened_at >= :start)
      AND (CAST(:end AS timestamptz) IS NULL OR f.first_opened_at < :end)
    ORDER BY 2, 3, f.first_opened_at, f.kind
""")
_ASKED = text("""
    UPDATE ops.quality_finding SET
        detail = jsonb_set(detail, '{asked}', coalesce(detail->'asked', '[]') || :asked)
    WHERE id = ANY(:ids) AND state <> 'repaired'
""")
_CONFIRM = text("""
    UPDATE ops.quality_finding SET state = 'confirmed', resolved_at = clock_timestamp()
    WHERE id = ANY(:ids) AND state = 'open' RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one series.

    candles: stored in [span_start, span_end); expected: required there by the calendar
    expected_until: the end of the span that `expected` counts. A check without an end goes on until
        now, for staleness, but expects no candles after the newest one
    """

    id: int
    checked_at: datetime
    instrument: str
    interval: Interval
    span_start: datetime
    span_end: datetime
    candles: int
    expected: int
    expected_until: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Consecutive candles with one problem, and its state; a row of ops.quality_finding."""

    id: int
    instrument: str
    interval: Interval
    kind: Kind
    first_opened_at: datetime
    last_opened_at: datetime
    candles: int
    severity: Severity
    detail: Mapping[str, Any]
    state: str
    found_at: datetime
    resolved_at: datetime | None

    @property
    def is_error(self) -> bool:
        """Tell whether the finding needs action: an open error."""
        return self.state == "open" and self.severity == "error"


@dataclass(frozen=True, slots=True)
class SeriesScan:
    """The defects that a check found in a series, and the range it covered.

    expected_until: see Check
    seen: [from, until): findings inside it that were not found again are resolved
    to_the_end: whether the check covered the freshness of the newest candle
    """

    span: tuple[datetime, datetime]
    candles: int
    expected: int
    expected_until: datetime
    found: Sequence[Defect]
    seen: tuple[datetime, datetime]
    to_the_end: bool


def store_check(
    connection: Connection,
    instrument_id: int,
    interval: Interval,
    seen: SeriesScan,
    load_batch_id: int | None = None,
) -> tuple[int, datetime]:
    """Store a check and merge its findings; return the check's id and time.

    Run twice, it stores two checks but the same findings.
    """
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, :id)"), {"lock": LOCK, "id": instrument_id}
    )
    series = {"id": instrument_id, "interval": interval.value}
    counts = {"candles": seen.candles, "expected": seen.expected, "load_batch_id": load_batch_id}
    span = {"start": seen.span[0], "end": seen.span[1]}
    check, checked_at = connection.execute(_CHECK, series | counts | span).one()
    found = {(one.kind, one.first_ms): one for one in seen.found}.values()
    keys = {
        "kinds": [one.kind for one in found],
        "firsts": [from_ms(one.first_ms) for one in found],
    }
    values = {
        "lasts": [from_ms(one.last_ms) for one in found],
        "candles": [one.candles for one in found],
        "severities": [one.severity for one in found],
        "details": [orjson.dumps(one.detail).decode() for one in found],
    }
    where = {"seen_from": seen.seen[0], "seen_until": seen.seen[1], "to_the_end": seen.to_the_end}
    connection.execute(_GONE, series | keys | where)
    if found:
        connection.execute(_FOUND, {"check": check} | series | keys | values)
    return check, checked_at


def findings(
    connection: Connection,
    series: Iterable[tuple[str, Interval]],
    *,
    states: Sequence[str] = ("open", "confirmed"),
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Finding]:
    """Return the findings that overlap [start, end), oldest first within a series."""
    pairs = list(series)
    values: dict[str, Any] = {
        "names": [name for name, _ in pairs],
        "intervals": [interval.value for _, interval in pairs],
        "states": list(states),
        "start": start,
        "end": end,
    }
    rows = connection.execute(_FINDINGS, values)
    return [_finding(**row) for row in rows.mappings()]


def record_request(connection: Connection, ids: Sequence[int], request: Mapping[str, Any]) -> None:
    """Record in the findings that their candles were requested again without success."""
    entry = orjson.dumps([request]).decode()
    connection.execute(_ASKED, {"ids": list(ids), "asked": entry})


def confirm_gaps(connection: Connection, ids: Sequence[int]) -> int:
    """Confirm findings as real, because no source has the candles. Returns how many changed."""
    return len(connection.execute(_CONFIRM, {"ids": list(ids)}).all())


def _finding(*, interval: str, **row: Any) -> Finding:
    return Finding(interval=Interval(interval), **row)
