"""One run as the application reads it: its newest answer that a user may see, and its trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from warehouse.accounts.visible import SCENE_IS_VISIBLE
from warehouse.results.documents import document_sql
from warehouse.results.finder import read_documents

TradeSort = Literal["entry_at", "pnl", "return", "mae", "mfe", "bars", "fees", "seq"]
_NEWEST = text(f"""
    SELECT r.result_key FROM ops.result r WHERE r.run_key = :run_key AND EXISTS (
        SELECT FROM ops.scene_run a JOIN ops.scene s ON s.scene_id = a.scene_id
        WHERE a.result_key = r.result_key AND {SCENE_IS_VISIBLE})
    ORDER BY r.computed_at DESC, r.result_key LIMIT 1
""")  # noqa: S608  made of constants
_DOCUMENT = text(
    document_sql("""
        (SELECT CAST(NULL AS text) AS scene_id, false AS cached) AS answer
        JOIN ops.result r ON r.result_key = :result_key
        JOIN ops.run q ON q.run_key = r.run_key
        JOIN ops.instrument i ON i.id = q.instrument_id
    """)
)
_HELD_BY = text(f"""
    SELECT s.scene_id, coalesce(card.name, s.name) AS name, u.name AS owner, s.runs, s.content,
           s.finished_at
    FROM ops.scene_run a JOIN ops.scene s ON s.scene_id = a.scene_id
    LEFT JOIN ops.user u ON u.id = s.user_id
    LEFT JOIN app.scene_card card ON card.scene_id = s.scene_id
    WHERE a.result_key = :result_key AND {SCENE_IS_VISIBLE}
    ORDER BY s.received_at DESC, s.scene_id LIMIT :most
""")  # noqa: S608  made of constants
_HAS_CURVE = text("SELECT EXISTS (SELECT FROM ops.equity e WHERE e.result_key = :result_key)")
_FROM = """
    FROM ops.trade t JOIN ops.result r ON r.result_key = t.result_key
    JOIN ops.run q ON q.run_key = r.run_key
    JOIN ops.instrument i ON i.id = coalesce(t.instrument_id, q.instrument_id)
    WHERE t.result_key = :result_key
      AND (CAST(:instrument AS text) IS NULL OR i.venue || ':' || i.symbol = :instrument)
"""
_RETURN = "t.profit / nullif(abs(t.size) * t.entry_price * coalesce(i.multiplier, 1), 0)"
_COLUMNS = f"""
    t.seq, i.venue || ':' || i.symbol AS instrument, t.entry_at, t.exit_at, t.entry_price,
    t.exit_price, t.size, t.profit, {_RETURN} AS return_, t.fees, t.slippage, t.borrow,
    t.mae, t.mfe, t.exit_reason
"""
_SORTED: Mapping[str, str] = {
    "seq": "t.seq",
    "entry_at": "extract(epoch FROM t.entry_at)",
    "pnl": "t.profit",
    "return": f"coalesce({_RETURN}, 0)",
    "mae": "coalesce(t.mae, 0)",
    "mfe": "coalesce(t.mfe, 0)",
    "bars": "extract(epoch FROM t.exit_at - t.entry_at)",
    "fees": "t.fees",
}
_COUNT = text(f"SELECT count(*) {_FROM}")
_MARKS = text(f"""
    SELECT {_COLUMNS} {_FROM}
      AND (CAST(:start AS timestamptz) IS NULL OR t.exit_at >= :start)
      AND (CAST(:end AS timestamptz) IS NULL OR t.entry_at < :end)
    ORDER BY abs(t.profit) DESC, t.seq LIMIT :most
""")
_IN_SPAN = text(f"""
    SELECT count(*) {_FROM}
      AND (CAST(:start AS timestamptz) IS NULL OR t.exit_at >= :start)
      AND (CAST(:end AS timestamptz) IS NULL OR t.entry_at < :end)
""")
_ALL = text(f"SELECT {_COLUMNS} {_FROM} ORDER BY t.seq")


@dataclass(frozen=True, slots=True)
class TradeRead:
    """A trade. return_: profit over the value at entry; None for a value of 0.

    slippage, borrow, mae, mfe: None where the engine of its time did not know them
    """

    seq: int
    instrument: str
    entry_at: datetime
    exit_at: datetime
    entry_price: float
    exit_price: float
    size: float
    profit: float
    return_: float | None
    fees: float
    slippage: float | None
    borrow: float | None
    mae: float | None
    mfe: float | None
    exit_reason: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A scene that a result answers."""

    scene_id: UUID
    name: str | None
    owner: str | None
    runs: int
    content: Any
    finished_at: datetime | None


def newest_answer(connection: Connection, caller_id: int, run_key: str) -> str | None:
    """Return the key of the newest answer to a run in a scene that a user may see, if any."""
    return connection.scalar(_NEWEST, {"caller_id": caller_id, "run_key": run_key})


def document(connection: Connection, result_key: str) -> dict[str, Any]:
    """Return a stored result as a document, of no scene. Raises IndexError for an unknown key."""
    return read_documents(connection, _DOCUMENT, {"result_key": result_key})[0]


def held_by(connection: Connection, caller_id: int, result_key: str, most: int) -> list[Holder]:
    """Return the newest scenes that a result answers and that a user may see."""
    values = {"caller_id": caller_id, "result_key": result_key, "most": most}
    return [Holder(**row) for row in connection.execute(_HELD_BY, values).mappings()]


def has_curve(connection: Connection, result_key: str) -> bool:
    """Tell whether trades and equity of a result are stored."""
    return bool(connection.scalar(_HAS_CURVE, {"result_key": result_key}))


def count_trades(connection: Connection, result_key: str, instrument: str | None = None) -> int:
    """Count the stored trades of a result, or those of one instrument."""
    values = {"result_key": result_key, "instrument": instrument}
    return int(connection.scalar(_COUNT, values) or 0)


def trades(
    connection: Connection,
    result_key: str,
    *,
    sort: TradeSort,
    falls: bool,
    most: int,
    after: tuple[float, int] | None = None,
    from_seq: int | None = None,
    instrument: str | None = None,
) -> list[tuple[float, TradeRead]]:
    """Return trades in an order, each with what it is sorted by.

    after: that of the last trade of the page before, and its seq
    from_seq: only this trade and those after it
    """
    value, direction, beyond = _SORTED[sort], "DESC" if falls else "ASC", "<" if falls else ">"
    values: dict[str, Any] = {"result_key": result_key, "instrument": instrument, "most": most}
    where = ""
    if after is not None:
        where = f" AND ({value}, t.seq) {beyond} (:value, :seq)"
        values |= {"value": after[0], "seq": after[1]}
    if from_seq is not None:
        where += " AND t.seq >= :from_seq"
        values["from_seq"] = from_seq
    statement = f"""
        SELECT CAST({value} AS float8) AS place, {_COLUMNS} {_FROM} {where}
        ORDER BY {value} {direction}, t.seq {direction} LIMIT :most
    """
    return [(row[0], TradeRead(*row[1:])) for row in connection.execute(text(statement), values)]


def marked_trades(
    connection: Connection,
    result_key: str,
    *,
    start: datetime | None,
    end: datetime | None,
    most: int,
    instrument: str | None = None,
) -> tuple[Sequence[TradeRead], int]:
    """Return the trades that touch [start, end), those with most profit or loss, and their number.

    returns: at most so many, by seq; and how many there are
    """
    values = {"result_key": result_key, "start": start, "end": end, "instrument": instrument}
    total = int(connection.scalar(_IN_SPAN, values) or 0)
    rows = connection.execute(_MARKS, values | {"most": most})
    return sorted((TradeRead(*row) for row in rows), key=lambda one: one.seq), total


def all_trades(connection: Connection, result_key: str) -> list[TradeRead]:
    """Return all stored trades of a result by seq."""
    rows = connection.execute(_ALL, {"result_key": result_key, "instrument": None})
    return [TradeRead(*row) for row in rows]
