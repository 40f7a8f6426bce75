"""Instruments and the watch list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, text

from mela.instrument import Instrument, parse_name
from mela.interval import Interval

_KNOWN = text("""
    SELECT id, venue, symbol, kind, quote, calendar, tick, lot, listed_on, delisted_on
    FROM ops.instrument WHERE venue || ':' || symbol = ANY(:names)
""")
_UPSERT = text("""
    INSERT INTO ops.instrument AS old
        (venue, symbol, kind, quote, calendar, tick, lot, listed_on, delisted_on)
    VALUES (:venue, :symbol, :kind, :quote, :calendar, :tick, :lot, :listed_on, :delisted_on)
    ON CONFLICT (venue, symbol) DO UPDATE SET
        kind = excluded.kind, quote = excluded.quote, calendar = excluded.calendar,
        tick = coalesce(excluded.tick, old.tick), lot = coalesce(excluded.lot, old.lot),
        listed_on = coalesce(excluded.listed_on, old.listed_on),
        delisted_on = coalesce(excluded.delisted_on, old.delisted_on)
    RETURNING id
""")
_WATCH = text("""
    INSERT INTO ops.watch (instrument_id, interval) VALUES (:id, :interval) ON CONFLICT DO NOTHING
""")
_UNWATCH = text("""
    DELETE FROM ops.watch w USING ops.instrument i
    WHERE i.id = w.instrument_id AND i.venue || ':' || i.symbol = :name AND w.interval = :interval
    RETURNING w.instrument_id
""")
_WATCHED = text("""
    SELECT i.venue || ':' || i.symbol, w.interval
    FROM ops.watch w JOIN ops.instrument i ON i.id = w.instrument_id ORDER BY 1, 2
""")


def known(connection: Connection, names: Iterable[str]) -> dict[str, Instrument]:
    """Return the instruments that the warehouse knows among these names, by name."""
    rows = connection.execute(_KNOWN, {"names": list(names)}).mappings()
    return {found.name: found for found in map(_instrument, rows)}


def ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of the instruments that the warehouse knows among these names, by name."""
    rows = connection.execute(_KNOWN, {"names": list(names)})
    return {f"{row.venue}:{row.symbol}": row.id for row in rows}


def upsert(connection: Connection, instrument: Instrument) -> int:
    """Store an instrument and return its id. Fields that are None keep their stored values."""
    return connection.execute(_UPSERT, asdict(instrument)).scalar_one()


def watch(connection: Connection, name: str, interval: Interval | str) -> None:
    """Add a series to the daily ingestion. Raises ValueError for an instrument never loaded."""
    parse_name(name)
    found = ids(connection, [name]).get(name)
    if found is None:
        raise ValueError(f"expected an instrument that was loaded once, but found {name}")
    connection.execute(_WATCH, {"id": found, "interval": Interval(interval).value})


def unwatch(connection: Connection, name: str, interval: Interval | str) -> bool:
    """Remove a series from the watch list; False if it was not on it."""
    values = {"name": name, "interval": Interval(interval).value}
    return connection.scalar(_UNWATCH, values) is not None


def watched(connection: Connection) -> list[tuple[str, str]]:
    """Return (instrument, interval) of every series on the watch list."""
    return [(name, interval) for name, interval in connection.execute(_WATCHED)]


def _instrument(row: RowMapping) -> Instrument:
    return Instrument(**{name: value for name, value in row.items() if name != "id"})
