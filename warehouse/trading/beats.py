"""Signs of life of the processes that trade, and which sessions are under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

_BEAT = text("""
    INSERT INTO ops.live_beat
        (process, started_at, beat_at, candles, decisions, decision_s, waiting)
    VALUES (:process, :started_at, :now, :candles, :decisions, :decision_s, :waiting)
    ON CONFLICT (process) DO UPDATE SET
        started_at = excluded.started_at, beat_at = excluded.beat_at, candles = excluded.candles,
        decisions = excluded.decisions, decision_s = excluded.decision_s,
        waiting = excluded.waiting
""")
_NEWEST_BEAT = text("SELECT max(beat_at) FROM ops.live_beat")
# A candle is among the newest events of a session that trades: few rows are read.
_UNDER_WAY = text("""
    SELECT s.session_id, s.name, s.user_id, s.state, s.instruments, s.interval,
           s.started_at AS started_at,
           CAST(s.document::jsonb #>> '{alerts,heartbeat_s}' AS float8) AS heartbeat_s,
           (SELECT e.at FROM ops.session_event e
            WHERE e.session_id = s.session_id AND e.kind = 'CandleClosed'
            ORDER BY e.seq DESC LIMIT 1) AS candle_at
    FROM ops.session s
    WHERE s.state NOT IN ('stopped', 'failed') AND s.started_at IS NOT NULL
    ORDER BY s.started_at, s.session_id
""")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A session that has begun and not ended.

    candle_at: when its last candle was stored
    heartbeat_s: the silence that its document has told; None where it says nothing
    """

    session_id: UUID
    name: str
    user_id: int
    state: str
    instruments: tuple[str, ...]
    interval: str
    started_at: datetime
    candle_at: datetime | None
    heartbeat_s: float | None = None

    @property
    def heard_at(self) -> datetime:
        """Return when something was last heard of it: its last candle, else its start."""
        return self.candle_at or self.started_at


def beat(
    connection: Connection,
    process: str,
    now: datetime,
    *,
    started_at: datetime,
    candles: int,
    decisions: int,
    decision_s: float,
    waiting: int,
) -> None:
    """Note that a process is alive, and what it has counted since it started."""
    values = {
        "process": process,
        "started_at": started_at,
        "now": now,
        "candles": candles,
        "decisions": decisions,
        "decision_s": decision_s,
        "waiting": waiting,
    }
    connection.execute(_BEAT, values)


def newest_beat(connection: Connection) -> datetime | None:
    """Return when a process that trades was last alive; None if there never was one."""
    return connection.execute(_NEWEST_BEAT).scalar_one()


def under_way(connection: Connection) -> list[UnderWay]:
    """Return the sessions that have begun and not ended, the oldest first."""
    return [
        UnderWay(
            row.session_id,
            row.name,
            row.user_id,
            row.state,
            tuple(row.instruments),
            row.interval,
            row.started_at,
            row.candle_at,
            row.heartbeat_s,
        )
        for row in connection.execute(_UNDER_WAY)
    ]


def is_silent(beat_at: datetime | None, now: datetime, silence_s: float) -> bool:
    """Tell whether no process has been alive for so many seconds."""
    return beat_at is None or now - beat_at > timedelta(seconds=silence_s)
