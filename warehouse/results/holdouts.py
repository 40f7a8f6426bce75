"""Record opened holdouts, because candles that a winner has seen are no longer unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

LOCK = 0x686F6C64  # "hold": openings are counted one after the other
_OPEN = text("""
    INSERT INTO ops.holdout (scene_id, instruments, interval, strategies, start_at, end_at, run_key)
    VALUES (CAST(:scene_id AS uuid), :instruments, :interval, :strategies, :start, :end, :run_key)
    ON CONFLICT (scene_id) DO NOTHING
""")
_OPENED = text("""
    SELECT own.opened_at, own.opened_by, own.run_key, count(before.id) AS reopened
    FROM ops.holdout own LEFT JOIN ops.holdout before
      ON before.id < own.id AND before.interval = own.interval
      AND before.instruments && own.instruments AND before.strategies && own.strategies
      AND before.start_at < own.end_at AND before.end_at > own.start_at
    WHERE own.scene_id = CAST(:scene_id AS uuid) GROUP BY own.id
""")


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a holdout. reopened: how many earlier ones it overlaps, 0 for the first."""

    opened_at: datetime
    opened_by: str
    run_key: str
    reopened: int


def open_once(
    connection: Connection,
    scene_id: str | UUID,
    *,
    instruments: Sequence[str],
    interval: str,
    strategies: Sequence[str],
    span: tuple[datetime, datetime],
    run_key: str,
) -> Opening:
    """Record that a scene's winner may see its holdout. The same scene opens it only once.

    run_key: the winner's key
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    values = {"scene_id": str(scene_id), "instruments": sorted(instruments), "interval": interval}
    values |= {"strategies": sorted(strategies), "start": span[0], "end": span[1]}
    connection.execute(_OPEN, {**values, "run_key": run_key})
    row = connection.execute(_OPENED, {"scene_id": str(scene_id)}).one()
    return Opening(row.opened_at, row.opened_by, row.run_key, row.reopened)
