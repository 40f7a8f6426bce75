"""Read an overview of stored series: instruments, spans, the days of one, findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.interval import Interval
from warehouse.binary import decode
from warehouse.database import copy_out

_INSTRUMENTS = text("""
    SELECT i.venue || ':' || i.symbol AS name, i.venue, i.symbol, i.kind, i.quote, i.base,
           i.calendar, i.tick, i.lot, i.listed_on, i.delisted_on,
           ARRAY(SELECT DISTINCT r.interval FROM ops.candle_revision r
                 WHERE r.instrument_id = i.id ORDER BY 1) AS intervals
    FROM ops.instrument i
    WHERE CAST(:words AS text) IS NULL OR i.venue || ':' || i.symbol ILIKE :words
    ORDER BY i.venue, i.symbol LIMIT :most
""")
_FINDINGS_OF = text("""
    SELECT i.venue || ':' || i.symbol AS instrument, f.interval, count(*) AS findings,
           count(*) FILTER (WHERE f.kind = 'missing') AS gaps
    FROM ops.quality_finding f JOIN ops.instrument i ON i.id = f.instrument_id
    WHERE f.state = 'open' GROUP BY 1, 2
""")
_FINDINGS = text("""
    SELECT f.id, i.venue || ':' || i.symbol AS instrument, f.interval, f.kind, f.severity, f.state,
           f.first_opened_at, f.last_opened_at, f.candles, f.detail, f.found_at, f.resolved_at
    FROM ops.quality_finding f JOIN ops.instrument i ON i.id = f.instrument_id
    WHERE f.state = ANY(CAST(:states AS text[]))
      AND (CAST(:instrument AS text) IS NULL OR i.venue || ':' || i.symbol = :instrument)
      AND (CAST(:interval AS text) IS NULL OR f.interval = :interval)
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.first_opened_at DESC,
             f.id LIMIT :most
""")
_CHECKS = text("""
    SELECT DISTINCT ON (c.instrument_id, c.interval)
           i.venue || ':' || i.symbol AS instrument, c.interval, c.checked_at,
           c.span_start AS start, c.span_end AS "end", c.candles, c.expected
    FROM ops.quality_check c JOIN ops.instrument i ON i.id = c.instrument_id
    WHERE (CAST(:instrument AS text) IS NULL OR i.venue || ':' || i.symbol = :instrument)
      AND (CAST(:interval AS text) IS NULL OR c.interval = :interval)
    ORDER BY c.instrument_id, c.interval, c.checked_at DESC, c.id DESC
""")
_OPENS = """
    SELECT c.opened_at FROM raw.candle c JOIN ops.instrument i ON i.id = c.instrument_id
    WHERE i.venue || ':' || i.symbol = %(name)s AND c.interval = %(interval)s
      AND c.opened_at >= %(start)s AND c.opened_at < %(end)s ORDER BY c.opened_at
"""


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """An instrument that was loaded once, and the intervals of its series."""

    name: str
    venue: str
    symbol: str
    kind: str
    quote: str
    base: str | None
    calendar: str
    tick: float | None
    lot: float | None
    listed_on: date | None
    delisted_on: date | None
    intervals: list[str]


@dataclass(frozen=True, slots=True)
class FindingRow:
    """Something wrong with candles in a row, as a check found it."""

    id: int
    instrument: str
    interval: str
    kind: str
    severity: str
    state: str
    first_opened_at: datetime
    last_opened_at: datetime
    candles: int
    detail: Mapping[str, Any]
    found_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The last look at a series over [start, end)."""

    instrument: str
    interval: str
    checked_at: datetime
    start: datetime
    end: datetime
    candles: int
    expected: int


def instrument_rows(connection: Connection, words: str | None, most: int) -> list[InstrumentRow]:
    """Return instruments by name. words: a part of the name; None for all."""
    literal = words and words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    values = {"words": literal and f"%{literal}%", "most": most}
    return [InstrumentRow(**row) for row in connection.execute(_INSTRUMENTS, values).mappings()]


def open_findings(connection: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """Return of each series how many findings are open, and how many of them are gaps."""
    rows = connection.execute(_FINDINGS_OF)
    return {(row.instrument, row.interval): (int(row.findings), int(row.gaps)) for row in rows}


def finding_rows(
    connection: Connection,
    *,
    instrument: str | None,
    interval: str | None,
    states: Collection[str],
    most: int,
) -> list[FindingRow]:
    """Return findings, the worst first, then the newest."""
    values = {"instrument": instrument, "interval": interval, "states": list(states)}
    rows = connection.execute(_FINDINGS, values | {"most": most})
    return [FindingRow(**row) for row in rows.mappings()]


def last_checks(
    connection: Connection, *, instrument: str | None, interval: str | None
) -> list[CheckRow]:
    """Return the last look at each series."""
    rows = connection.execute(_CHECKS, {"instrument": instrument, "interval": interval})
    return [CheckRow(**row) for row in rows.mappings()]


def stored_opens(
    connection: Connection, name: str, interval: Interval, start: datetime, end: datetime
) -> NDArray[np.int64]:
    """Return when the stored candles of a series opened, rising UTC milliseconds."""
    values = {"name": name, "interval": interval.value, "start": start, "end": end}
    return decode(copy_out(connection, _OPENS, values), {"opened_at": "timestamptz"})["opened_at"]
