"""Read and store the comparison of sessions with backtests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, text

Basis = Literal["decided", "stored"]
State = Literal["ok", "beyond", "failed"]
_OF_KINDS = text("""
    SELECT seq, kind, document FROM ops.session_event
    WHERE session_id = :session_id AND kind = ANY (:kinds) ORDER BY seq
""")
_DELETE = text("""
    DELETE FROM ops.session_drift
    WHERE session_id = :session_id AND on_day = :on_day AND candles = :candles
""")
_TO_COMPARE = text("""
    SELECT session_id FROM ops.session
    WHERE started_at < :end AND (stopped_at IS NULL OR stopped_at >= :start)
    ORDER BY started_at, session_id
""")
_COLUMNS = (
    *("session_id", "on_day", "candles", "start_at", "end_at", "state", "why", "trades"),
    *("trades_backtest", "missed", "extra", "differing", "profit", "profit_backtest", "equity"),
    *("equity_backtest", "drift", "bound", "curve", "code_version"),
)
_LINE = (
    *("session_id", "on_day", "candles", "line", "kind", "instrument", "entry_at", "side", "what"),
    *("ours", "backtest", "cause", "why"),
)


def _insert(table: str, columns: Sequence[str]) -> Any:
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    return text(f"INSERT INTO ops.{table} ({names}) VALUES ({marks})")  # noqa: S608 - names of ours


_SAVE = _insert("session_drift", _COLUMNS)
_SAVE_LINE = _insert("session_drift_line", _LINE)
_NEWEST = text("""
    SELECT session_id, on_day, candles, start_at, end_at, state, why, trades, trades_backtest,
           missed, extra, differing, profit, profit_backtest, equity, equity_backtest, drift,
           bound, curve, code_version, made_at
    FROM ops.session_drift
    WHERE session_id = :session_id AND candles = :candles
    ORDER BY on_day DESC LIMIT 1
""")
_LINES = text("""
    SELECT kind, instrument, entry_at, side, what, ours, backtest, cause, why
    FROM ops.session_drift_line
    WHERE session_id = :session_id AND on_day = :on_day AND candles = :candles
    ORDER BY line LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A difference of one trade, as it is stored."""

    kind: str
    instrument: str
    entry_at: datetime
    side: int
    what: str
    ours: float | None
    backtest: float | None
    cause: str
    why: str | None


@dataclass(frozen=True, slots=True)
class StoredDrift:
    """A comparison as it is stored, without its lines. curve: JSON, by account [ms, equity]."""

    session_id: UUID
    on_day: date
    candles: Basis
    start_at: datetime
    end_at: datetime
    state: State
    why: str | None
    trades: int
    trades_backtest: int
    missed: int
    extra: int
    differing: int
    profit: float | None
    profit_backtest: float | None
    equity: float | None
    equity_backtest: float | None
    drift: float | None
    bound: float
    curve: str | None
    code_version: str
    made_at: datetime | None = None


def events_of(
    connection: Connection, session_id: UUID, kinds: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield kind and document of a log's events of some kinds, in order."""
    values = {"session_id": session_id, "kinds": sorted(kinds)}
    for _, kind, document in connection.execute(_OF_KINDS, values):
        yield kind, document


def to_compare(connection: Connection, start: datetime, end: datetime) -> list[UUID]:
    """Return the sessions that traded in [start, end), the oldest first."""
    return list(connection.scalars(_TO_COMPARE, {"start": start, "end": end}))


def save(connection: Connection, drift: StoredDrift, lines: Sequence[StoredLine]) -> None:
    """Store a comparison, instead of an earlier one of the same session, day and candles."""
    key: Mapping[str, Any] = {
        "session_id": drift.session_id,
        "on_day": drift.on_day,
        "candles": drift.candles,
    }
    connection.execute(_DELETE, key)
    connection.execute(_SAVE, asdict(drift))
    if lines:
        rows = [{**key, "line": place, **asdict(one)} for place, one in enumerate(lines, 1)]
        connection.execute(_SAVE_LINE, rows)


def newest(connection: Connection, session_id: UUID, candles: Basis) -> StoredDrift | None:
    """Return the newest comparison of a session."""
    values = {"session_id": session_id, "candles": candles}
    row = connection.execute(_NEWEST, values).one_or_none()
    return None if row is None else StoredDrift(*row)


def lines_of(connection: Connection, drift: StoredDrift, most: int) -> list[StoredLine]:
    """Return the first differences of a comparison."""
    values = {
        "session_id": drift.session_id,
        "on_day": drift.on_day,
        "candles": drift.candles,
        "most": most,
    }
    return [StoredLine(*row) for row in connection.execute(_LINES, values)]
