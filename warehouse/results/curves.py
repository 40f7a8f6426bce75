"""Trades and equity of the results that are stored with their curve."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.result import Curve, Trade
from warehouse.binary import decode, encode
from warehouse.database import copy_in, copy_out
from warehouse.ingestion import instruments

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
    values = decode(copy_out(connection, _READ_EQUITY, {"key": result_key}), TYPES)
    return values["opened_at"], values["equity"]


def curve(connection: Connection, result_key: str) -> Curve | None:
    """Return the curve of a result, or None if none is stored."""
    values = decode(copy_out(connection, _READ_EQUITY, {"key": result_key}), TYPES)
    if not len(values["equity"]):
        return None
    rows = connection.execute(_READ_TRADES, {"key": result_key})
    return Curve(tuple(Trade(*row) for row in rows), values["opened_at"], values["equity"])
