"""Read candles from Postgres: one database snapshot for a series, binary COPY for its rows."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from mela.errors import CandlesMissing
from mela.instrument import FACTS, load_command, parse_name
from mela.interval import DAY_MS
from mela.run import from_ms, to_ms
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.binary import decode
from warehouse.candles.adjust import Event
from warehouse.candles.series import FIELDS, ChangedRange, Columns, SeriesState
from warehouse.database import copy_out, engine_for
from warehouse.ingestion import instruments

TYPES = {"opened_ms": "timestamptz"} | dict.fromkeys(FIELDS, "float8")
PARALLEL_FROM = 200_000  # candles from which a second connection pays
MONTH_MS = 30 * DAY_MS
SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_SERIES = text(f"""
    SELECT i.id, i.venue, i.symbol, {", ".join(f"i.{fact}" for fact in FACTS)}, i.origins,
           coalesce(newest.revision, 0) AS revision,
           candles.revision || '-' || (extract(epoch FROM candles.created_at) * 1000000)::bigint
               AS candles_key,
           EXISTS (SELECT FROM raw.corporate_action a WHERE a.instrument_id = i.id) AS has_events
    FROM ops.instrument i
    LEFT JOIN LATERAL (
        SELECT revision FROM ops.candle_revision r
        WHERE r.instrument_id = i.id AND r.interval = :interval ORDER BY revision DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT revision, created_at FROM ops.candle_revision r
        WHERE r.instrument_id = i.id AND r.interval = :interval AND r.reason = 'candles'
        ORDER BY revision DESC LIMIT 1
    ) AS candles ON true
    WHERE i.venue = :venue AND i.symbol = :symbol
""")  # noqa: S608  made of constants
# Reads the interval's own table and sorts here: comparing each row's interval and merging the years
# costs Postgres a tenth more time each.
_ROWS = """
    SELECT opened_at, open, high, low, close, volume FROM raw.candle_{interval}
    WHERE instrument_id = %(id)s AND opened_at >= %(first)s AND opened_at <= %(last)s
"""
_EXPORT = text("SELECT pg_export_snapshot()")
_IMPORT = text("SET TRANSACTION SNAPSHOT :snapshot")
_FIRST = text("""
    SELECT min(opened_at) FROM (
        SELECT opened_at FROM raw.candle
        WHERE instrument_id = :id AND interval = :interval AND opened_at < :start
        ORDER BY opened_at DESC LIMIT :warmup
    ) AS warmup
""")
_EXTENT = text("""
    SELECT min(opened_at), max(opened_at) FROM raw.candle
    WHERE instrument_id = :id AND interval = :interval
""")
_SINCE = text("""
    SELECT min(first_opened_at) FILTER (WHERE revision > :revision AND reason = 'candles'),
           max(last_opened_at) FILTER (WHERE revision > :revision AND reason = 'candles'),
           bool_or(revision = :revision
               AND (extract(epoch FROM created_at) * 1000000)::bigint = :made)
    FROM ops.candle_revision
    WHERE instrument_id = :id AND interval = :interval AND revision >= :revision
""")
_EVENTS = text("""
    SELECT kind, (extract(epoch FROM effective_on) * 1000)::bigint, value
    FROM raw.corporate_action WHERE instrument_id = :id
      AND kind = ANY(:kinds) AND effective_on::timestamp AT TIME ZONE 'UTC' < :end
    ORDER BY effective_on, kind DESC
""")


@dataclass(frozen=True, slots=True)
class PostgresCandles:
    """The candle store in Postgres, which always exists."""

    settings: Settings

    @contextmanager
    def open(self, name: SeriesKey, hint: tuple[datetime, datetime]) -> Generator[PostgresSeries]:
        """Open a series in a transaction with one snapshot. See series.CandleStore.

        Raises CandlesMissing for an unknown instrument, and sqlalchemy's OperationalError if
        Postgres cannot be reached.
        """
        venue, symbol = parse_name(name.instrument)
        values = {"venue": venue, "symbol": symbol, "interval": name.interval.value}
        with engine_for(self.settings).connect() as plain:
            connection = plain.execution_options(**SNAPSHOT)
            found = connection.execute(_SERIES, values).mappings().one_or_none()
            if found is None:
                raise CandlesMissing(
                    f"{name.instrument} is not in the warehouse. Load it: "
                    + load_command(*name, hint[0].date(), hint[1].date())
                )
            yield PostgresSeries(
                series=SeriesState(
                    name, found["revision"], found["candles_key"], instruments.read_row(found)
                ),
                connection=connection,
                key={"id": found["id"], "interval": name.interval.value},
                has_events=found["has_events"],
            )


@dataclass(frozen=True, slots=True)
class PostgresSeries:
    """An OpenSeries in Postgres."""

    series: SeriesState
    connection: Connection
    key: dict[str, Any]
    has_events: bool

    def rows(self, start: datetime, end: datetime, warmup: int) -> Columns:
        """Return the candles of [start, end), and up to `warmup` candles before them."""
        parameters = self.key | {"start": start, "warmup": warmup}
        first = self.connection.scalar(_FIRST, parameters) if warmup else None
        return self.between(to_ms(first or start), to_ms(end) - 1)

    def whole(self) -> Columns:
        """Return all candles."""
        return self.between(*self.extent())

    def between(self, first_ms: int, last_ms: int) -> Columns:
        """Return the candles that opened in [first_ms, last_ms].

        Long ranges are read over two connections that share the snapshot, because the Postgres side
        of a COPY is bound to one processor.
        """
        if (last_ms - first_ms) // self._step_ms < PARALLEL_FROM:
            return self._copied(self.connection, first_ms, last_ms)
        first, last = self.extent()
        first, last = max(first, first_ms), min(last, last_ms)
        if (last - first) // self._step_ms < PARALLEL_FROM:
            return self._copied(self.connection, first, last)
        middle = (first + last) // 2
        snapshot = self.connection.scalar(_EXPORT)
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(self.beside, snapshot, middle + 1, last)
            earlier = self._copied(self.connection, first, middle)
            return _joined(earlier, later.result())

    def beside(self, snapshot: str, first_ms: int, last_ms: int) -> Columns:
        """Do the same as `between` over another connection that imports this one's snapshot."""
        with self.connection.engine.connect() as plain:
            connection = plain.execution_options(**SNAPSHOT)
            connection.execute(_IMPORT, {"snapshot": snapshot})
            return self._copied(connection, first_ms, last_ms)

    @property
    def _step_ms(self) -> int:
        return self.series.name.interval.fixed_ms or MONTH_MS

    def _copied(self, connection: Connection, first_ms: int, last_ms: int) -> Columns:
        query = _ROWS.format(interval=self.series.name.interval.value)
        span = {"first": from_ms(first_ms), "last": from_ms(last_ms)}
        return _in_order(decode(copy_out(connection, query, self.key | span), TYPES))

    def extent(self) -> tuple[int, int]:
        """Return when the first and the last candle opened; an empty range if there are none."""
        first, last = self.connection.execute(_EXTENT, self.key).one()
        return (1, 0) if first is None else (to_ms(first), to_ms(last))

    def changed_since(self, candles_key: str) -> ChangedRange | None:
        """Return the range that changed after an older key; None if it was never here."""
        revision, made = map(int, candles_key.split("-"))
        values = self.key | {"revision": revision, "made": made}
        first, last, is_ours = self.connection.execute(_SINCE, values).one()
        if not is_ours or first is None:
            return None
        return ChangedRange(to_ms(first), to_ms(last))

    def events(self, kinds: list[str], end: datetime) -> list[Event]:
        """Return the corporate actions effective before the end, oldest first."""
        if not kinds or not self.has_events:
            return []
        values = {"id": self.key["id"], "end": end, "kinds": kinds}
        return [Event(*row) for row in self.connection.execute(_EVENTS, values)]


def _joined(earlier: Columns, later: Columns) -> Columns:
    return {name: np.concatenate([earlier[name], later[name]]) for name in earlier}


def _in_order(columns: Columns) -> Columns:
    opened = columns["opened_ms"]
    if not np.any(opened[1:] < opened[:-1]):
        return columns
    order = np.argsort(opened, kind="stable")
    return {name: column[order] for name, column in columns.items()}
