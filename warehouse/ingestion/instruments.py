"""Instruments as the warehouse knows them, version by version, and the watch list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, text

from mela.instrument import FACTS, FactOrigin, Instrument, changed_facts, parse_name
from mela.interval import Interval
from mela.name_suggestions import did_you_mean, ended

COLUMNS = ", ".join(FACTS)  # the names of facts are those of their columns
_KNOWN = text(f"""
    SELECT id, venue, symbol, {COLUMNS}, origins
    FROM ops.instrument WHERE venue || ':' || symbol = ANY(:names)
""")  # noqa: S608  made of constants
_ADD = text(f"""
    INSERT INTO ops.instrument (venue, symbol, {COLUMNS}, origins)
    VALUES (:venue, :symbol, {", ".join(f":{fact}" for fact in FACTS)}, :origins)
    ON CONFLICT (venue, symbol) DO NOTHING RETURNING id
""")  # noqa: S608
_HELD = text(f"""
    SELECT id, venue, symbol, {COLUMNS}, origins FROM ops.instrument
    WHERE venue = :venue AND symbol = :symbol FOR UPDATE
""")  # noqa: S608
# The moment is later than the version's first, even if the clock was set back.
_KEEP = text(f"""
    WITH kept AS (
        INSERT INTO ops.instrument_version
            (instrument_id, known_from, known_until, {COLUMNS}, origins)
        SELECT id, coalesce(known_from, '1900-01-01Z'),
               greatest(clock_timestamp(), known_from + interval '1 microsecond'),
               {COLUMNS}, origins
        FROM ops.instrument WHERE id = :id RETURNING instrument_id, known_until
    )
    UPDATE ops.instrument SET known_from = kept.known_until FROM kept WHERE id = kept.instrument_id
""")  # noqa: S608
_CHANGE = text(f"""
    UPDATE ops.instrument SET {", ".join(f"{fact} = :{fact}" for fact in FACTS)},
        origins = :origins
    WHERE id = :id
""")  # noqa: S608
_FROM_FILES = text("""
    SELECT i.venue || ':' || i.symbol
    FROM ops.instrument i CROSS JOIN LATERAL (
        SELECT origin FROM ops.load_batch b
        WHERE b.instrument_id = i.id AND b.status = 'succeeded' ORDER BY b.id DESC LIMIT 1
    ) AS newest
    WHERE i.venue || ':' || i.symbol = ANY(:names) AND newest.origin = 'file'
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
    return {found.name: found for found in map(read_row, rows)}


def ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of the instruments that the warehouse knows among these names, by name."""
    rows = connection.execute(_KNOWN, {"names": list(names)})
    return {f"{row.venue}:{row.symbol}": row.id for row in rows}


def names(connection: Connection) -> list[str]:
    """Return the names of all instruments that were ever loaded."""
    return list(connection.scalars(text("SELECT venue || ':' || symbol FROM ops.instrument")))


def from_files(connection: Connection, names: Iterable[str]) -> set[str]:
    """Return those of some instruments whose candles are a user's file: no service has them."""
    return set(connection.scalars(_FROM_FILES, {"names": list(names)}))


def upsert(connection: Connection, instrument: Instrument) -> int:
    """Store what is newly known of an instrument, and return its id.

    A fact gives way to one that is at least as sure (see `Instrument.joined`). A fact that was
    known and is another now makes a version; what was unknown is only filled in.
    """
    now = datetime.now(UTC)
    added = connection.execute(_ADD, _values(_dated(instrument, now))).scalar_one_or_none()
    if added is not None:
        return added
    key = {"venue": instrument.venue, "symbol": instrument.symbol}
    row = connection.execute(_HELD, key).mappings().one()
    before = read_row(row)
    after = before.joined(_dated(instrument, now))
    if after != before:
        if changed_facts(before, after):
            connection.execute(_KEEP, {"id": row["id"]})
        connection.execute(_CHANGE, _values(after) | {"id": row["id"]})
    return row["id"]


def watch(connection: Connection, name: str, interval: Interval | str) -> None:
    """Add a series to the daily ingestion.

    Raises ValueError for an instrument that was never loaded, or whose candles are a file's.
    """
    parse_name(name)
    found = ids(connection, [name]).get(name)
    if found is None:
        raise ValueError(
            "expected an instrument that was loaded once, but found "
            f"{ended(name + did_you_mean(name, names(connection)))} "
            f"Load it: mela ingest {name} --interval {Interval(interval)} …"
        )
    if from_files(connection, [name]):
        raise ValueError(
            f"expected an instrument of a service, but the candles of {name} came from a file, "
            "which nobody can ask for newer ones. Import a newer file: mela import"
        )
    connection.execute(_WATCH, {"id": found, "interval": Interval(interval).value})


def unwatch(connection: Connection, name: str, interval: Interval | str) -> bool:
    """Remove a series from the watch list; False if it was not on it."""
    values = {"name": name, "interval": Interval(interval).value}
    return connection.scalar(_UNWATCH, values) is not None


def watched(connection: Connection) -> list[tuple[str, str]]:
    """Return (instrument, interval) of every series on the watch list."""
    return [(name, interval) for name, interval in connection.execute(_WATCHED)]


def _dated(instrument: Instrument, now: datetime) -> Instrument:
    """Return an instrument whose facts all say where they come from, and since when."""
    origins = {
        fact: replace(found, at=found.at or now)
        for fact in FACTS
        if getattr(instrument, fact) is not None
        for found in [instrument.origin(fact)]
    }
    return replace(instrument, origins=origins)


def _values(instrument: Instrument) -> dict[str, Any]:
    facts = {fact: getattr(instrument, fact) for fact in ("venue", "symbol", *FACTS)}
    origins = {
        fact: {"how": found.how, "source": found.source, "at": found.at and found.at.isoformat()}
        for fact, found in instrument.origins.items()
    }
    return facts | {"origins": orjson.dumps(origins).decode()}


def read_row(row: RowMapping) -> Instrument:
    """Return the instrument of a row that has its names, its facts and their origins."""
    facts = {name: row[name] for name in ("venue", "symbol", *FACTS)}
    return Instrument(**facts, origins=origins_of(row["origins"] or {}))


def origins_of(document: Mapping[str, Mapping[str, Any]]) -> Mapping[str, FactOrigin]:
    """Return where facts come from, as a row of the warehouse has it."""
    return {
        fact: FactOrigin(
            found["how"],
            found["source"],
            datetime.fromisoformat(found["at"]) if found.get("at") else None,
        )
        for fact, found in document.items()
    }
