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
_UNDER_WAY = text("""
    SELECT s.session_id, s.name, s.user_id, s.state, s.instruments, s.interval,
           s.started_at AS started_at,
           CAST(s.document::jsonb #>> '{alerts,heartbeat_s}' AS float8) AS heartbeat_s
    FROM ops.session s
    WHERE s.state NOT IN ('stopped', 'failed') AND s.started_at IS NOT NULL
    ORDER BY s.started_at, s.session_id
""")
_SERIES = text("""
    SELECT h.session_id, h.instrument, h.interval, h.opened_at, h.absent_at, h.heard_at
    FROM ops.session_series h JOIN ops.session s USING (session_id)
    WHERE s.state NOT IN ('stopped', 'failed') AND s.started_at IS NOT NULL
    ORDER BY h.session_id, h.instrument, h.interval
""")


@dataclass(frozen=True, slots=True)
class Heard:
    """The last message that a session heard about a series.

    opened_at: of the newest candle that came, heard_at: when it was stored; both None for none
    absent_at: the newest opening of which its market said that it has no candle; None for none
    """

    instrument: str
    interval: str
    opened_at: datetime | None = None
    heard_at: datetime | None = None
    absent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A session that has begun and not ended.

    series: those that it trades, heard of or not, and then others of which it has heard
    heartbeat_s: the silence that its document has told; None where it says nothing
    """

    session_id: UUID
    name: str
    user_id: int
    state: str
    interval: str
    started_at: datetime
    series: tuple[Heard, ...]
    heartbeat_s: float | None = None


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
    heard: dict[UUID, dict[tuple[str, str], Heard]] = {}
    for row in connection.execute(_SERIES):
        heard_at = None if row.opened_at is None else row.heard_at
        one = Heard(row.instrument, row.interval, row.opened_at, heard_at, row.absent_at)
        heard.setdefault(row.session_id, {})[row.instrument, row.interval] = one
    found: list[UnderWay] = []
    for row in connection.execute(_UNDER_WAY):
        traded = {(name, row.interval): Heard(name, row.interval) for name in row.instruments}
        series = tuple((traded | heard.get(row.session_id, {})).values())
        found.append(
            UnderWay(
                row.session_id,
                row.name,
                row.user_id,
                row.state,
                row.interval,
                row.started_at,
                series,
                row.heartbeat_s,
            )
        )
    return found


def is_silent(beat_at: datetime | None, now: datetime, silence_s: float) -> bool:
    """Tell whether no process has been alive for so many seconds."""
    return beat_at is None or now - beat_at > timedelta(seconds=silence_s)
