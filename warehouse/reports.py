"""Summaries of the warehouse: what loads did, and row counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from mela.instrument import parse_name

MARTS = ("dim_instrument", "dim_date", "fct_candle")
# A series may be loaded in several batches. Others run beside, over other spans: the daily one.
_LOADED = text("""
    SELECT string_agg(DISTINCT b.origin, ', '), min(b.span_start), max(b.span_end),
           sum(b.inserted)::int, sum(b.updated)::int, sum(b.unchanged)::int, sum(b.rejected)::int
    FROM ops.load_batch b JOIN ops.instrument i ON i.id = b.instrument_id
    WHERE i.venue = :venue AND i.symbol = :symbol AND b.interval = :interval
      AND b.status = 'succeeded' AND b.started_at >= :since
      AND b.span_start >= :start AND b.span_end <= :end
    HAVING count(*) > 0
""")


class Load(NamedTuple):
    """The loads of a series over a span, from the first start to the last end."""

    instrument: str
    interval: str
    origin: str
    start: datetime
    end: datetime
    inserted: int
    updated: int
    unchanged: int
    rejected: int


def clock(connection: Connection) -> datetime:
    """Return the warehouse's time, which load batches are stamped with."""
    return connection.execute(text("SELECT now()")).scalar_one()


def loads_within(
    connection: Connection,
    series: Iterable[tuple[str, str]],
    start: datetime,
    end: datetime,
    since: datetime,
) -> list[Load]:
    """Return what succeeded loads within [start, end) did that began after `since`, by series.

    A series without such a load is left out.
    """
    loads: list[Load] = []
    for name, interval in series:
        venue, symbol = parse_name(name)
        key = {"venue": venue, "symbol": symbol, "interval": interval}
        row = connection.execute(
            _LOADED, {**key, "start": start, "end": end, "since": since}
        ).one_or_none()
        if row is not None:
            loads.append(Load(name, interval, *row))
    return loads


def mart_rows(connection: Connection) -> dict[str, int]:
    """Return the row counts of the main marts, which must have been built."""
    return {
        name: connection.execute(text(f"SELECT count(*) FROM marts.{name}")).scalar_one()  # noqa: S608
        for name in MARTS
    }


def count_results(connection: Connection) -> int:
    """Return the number of stored results."""
    return connection.execute(text("SELECT count(*) FROM ops.result")).scalar_one()


def count_scenes(connection: Connection, name: str) -> int:
    """Return the number of accepted scenes with this name."""
    counted = text("SELECT count(*) FROM ops.scene WHERE name = :name AND status <> 'rejected'")
    return connection.execute(counted, {"name": name}).scalar_one()
