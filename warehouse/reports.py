"""Summaries of the warehouse: the latest loads, and row counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

from mela.instrument import parse_name

MARTS = ("dim_instrument", "dim_date", "fct_candle")
_LATEST = text("""
    SELECT b.id, b.origin, b.status, b.inserted, b.updated, b.unchanged, b.rejected
    FROM ops.load_batch b JOIN ops.instrument i ON i.id = b.instrument_id
    WHERE i.venue = :venue AND i.symbol = :symbol AND b.interval = :interval
    ORDER BY b.id DESC LIMIT 1
""")


class Load(NamedTuple):
    """The load of a series, with its outcome."""

    instrument: str
    interval: str
    batch_id: int
    origin: str
    status: str
    inserted: int
    updated: int
    unchanged: int
    rejected: int


def latest_loads(connection: Connection, series: Iterable[tuple[str, str]]) -> list[Load]:
    """Return the newest load of each series that was ever loaded."""
    loads: list[Load] = []
    for name, interval in series:
        venue, symbol = parse_name(name)
        asked = {"venue": venue, "symbol": symbol, "interval": interval}
        row = connection.execute(_LATEST, asked).one_or_none()
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
