"""Read which candles are stored: the first and the last of each series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

# ops.candle_revision names every series that was ever loaded; min and max come from an index.
_COVERAGE = text("""
    SELECT series.instrument, series.interval, first.opened_at, last.opened_at
    FROM (
        SELECT DISTINCT i.id, i.venue || ':' || i.symbol AS instrument, r.interval
        FROM ops.candle_revision r JOIN ops.instrument i ON i.id = r.instrument_id
        WHERE cardinality(CAST(:names AS text[])) = 0 OR i.venue || ':' || i.symbol = ANY(:names)
    ) AS series
    JOIN LATERAL (
        SELECT min(opened_at) AS opened_at FROM raw.candle c
        WHERE c.instrument_id = series.id AND c.interval = series.interval
    ) AS first ON first.opened_at IS NOT NULL
    JOIN LATERAL (
        SELECT max(opened_at) AS opened_at FROM raw.candle c
        WHERE c.instrument_id = series.id AND c.interval = series.interval
    ) AS last ON true
    ORDER BY series.instrument, series.interval
""")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The span of a stored series: when its first and its last candle opened."""

    instrument: str
    interval: str
    first_opened_at: datetime
    last_opened_at: datetime


def coverage(connection: Connection, names: Sequence[str] = ()) -> list[Coverage]:
    """Return the spans of all stored series, or of those of some instruments."""
    return [Coverage(*row) for row in connection.execute(_COVERAGE, {"names": list(names)})]
