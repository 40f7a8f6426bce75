"""Trades and equity of the results that are stored with their curve."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.result import Curve, Trade
from warehouse.binary import decode, encode
from warehouse.database import copy_in, copy_out
from warehouse.ingestion import instruments

PACKED_FROM = 20_000  # candles: reading the rows of shorter curves takes no time to speak of
TYPES = {"opened_at": "timestamptz", "equity": "float8"}
# A lock by name: one on the row would need the right to change results, which the job has not.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_IS_STORED = text("SELECT FROM ops.result WHERE result_key = :key")
_STORED = text("""
    SELECT result_key FROM unnest(CAST(:keys AS text[])) AS asked (result_key)
    WHERE EXISTS (SELECT FROM ops.equity e WHERE e.result_key = asked.result_key)
""")
_STAGE = text("""
    CREATE TEMP TABLE IF NOT EXISTS equity_value (opened_at timestamptz, equity float8)
    ON COMMIT DELETE ROWS
""")
_EQUITY = text("""
    INSERT INTO ops.equity (result_key, opened_at, equity)
    SELECT :key, opened_at, equity FROM equity_value ORDER BY opened_at
""")
_EMPTY = text("DELETE FROM equity_value")
_PACK = text("""
    INSERT INTO ops.equity_packed (result_key, opened, equity) VALUES (:key, :opened, :equity)
""")
_PACKED = text("SELECT opened, equity FROM ops.equity_packed WHERE result_key = :key")
# The dialect of warehouse.results.writer: a row of CSV is a JSON array without its brackets.
_TRADES = (
    f"COPY ops.trade (result_key, seq, {', '.join(Trade._fields[:-1])}, instrument_id) FROM STDIN"
    r" (FORMAT csv, NULL 'null', ESCAPE '\', ENCODING 'UTF8')"
)
_READ_TRADES = text("""
    SELECT entry_at, exit_at, size, entry_price, exit_price, fees, profit, exit_reason,
           coalesce(slippage, 'NaN') AS slippage, coalesce(borrow, 'NaN') AS borrow,
           coalesce(mae, 'NaN') AS mae, coalesce(mfe, 'NaN') AS mfe,
           i.venue || ':' || i.symbol AS instrument
    FROM ops.trade LEFT JOIN ops.instrument i ON i.id = instrument_id
    WHERE result_key = :key ORDER BY seq
""")
_READ_EQUITY = (
    "SELECT opened_at, equity FROM ops.equity WHERE result_key = %(key)s ORDER BY opened_at"
)


def save_curve(connection: Connection, result_key: str, curve: Curve) -> bool:
    """Store trades and equity of a result. Return False if it has them already.

    Raises ValueError for a result that is not stored.
    """
    connection.execute(_LOCK, {"key": result_key})
    if connection.execute(_IS_STORED, {"key": result_key}).one_or_none() is None:
        raise ValueError(f"expected a stored result, but found none with the key {result_key}")
    if not without_curve(connection, [result_key]):
        return False
    connection.execute(_STAGE)
    columns = {"opened_at": curve.opened_ms, "equity": curve.equity}
    copy_in(connection, "COPY equity_value FROM STDIN (FORMAT binary)", encode(columns, TYPES))
    connection.execute(_EQUITY, {"key": result_key})
    connection.execute(_EMPTY)
    if len(curve.equity) >= PACKED_FROM:
        connection.execute(_PACK, {"key": result_key, **_packed(curve.opened_ms, curve.equity)})
    traded = {trade.instrument for trade in curve.trades if trade.instrument}
    known = instruments.ids(connection, traded) if traded else {}
    rows = (
        orjson.dumps([result_key, seq, *trade[:-1], known.get(trade.instrument or "")])[1:-1]
        for seq, trade in enumerate(curve.trades)
    )
    copy_in(connection, _TRADES, b"\n".join(rows))
    return True


def without_curve(connection: Connection, result_keys: Iterable[str]) -> set[str]:
    """Return the results, of those given, that have no curve."""
    keys = set(result_keys)
    return keys - set(connection.scalars(_STORED, {"keys": list(keys)}))


def equity(
    connection: Connection, result_key: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return when each candle of a result's span opened, in UTC milliseconds, and equity there.

    returns: (n,) int64, rising, and (n,) float64; empty where no curve is stored
    """
    packed = connection.execute(_PACKED, {"key": result_key}).one_or_none()
    if packed is not None:
        return _unpacked(packed.opened, packed.equity)
    values = decode(copy_out(connection, _READ_EQUITY, {"key": result_key}), TYPES)
    return values["opened_at"], values["equity"]


def curve(connection: Connection, result_key: str) -> Curve | None:
    """Return the curve of a result, or None if none is stored."""
    opened_ms, values = equity(connection, result_key)
    if not len(values):
        return None
    rows = connection.execute(_READ_TRADES, {"key": result_key})
    return Curve(tuple(Trade(*row) for row in rows), opened_ms, values)


def _packed(opened_ms: NDArray[np.int64], values: NDArray[np.float64]) -> dict[str, bytes]:
    # Openings are nearly even: their differences take next to no room.
    steps = np.diff(opened_ms, prepend=np.int64(0)).astype("<i8")
    return {"opened": zlib.compress(steps.tobytes(), 1), "equity": values.astype("<f8").tobytes()}


def _unpacked(
    opened: memoryview, values: memoryview
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps = np.frombuffer(zlib.decompress(opened), dtype="<i8")
    return np.cumsum(steps, dtype=np.int64), np.frombuffer(values, dtype="<f8").astype(np.float64)
