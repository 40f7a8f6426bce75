"""The activity of sessions in a span of time, one row each, for the daily digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

# The equity of a session is the sum of its accounts' newest values before an instant.
_SUMMARY = text("""
    SELECT s.session_id, s.name, s.state, s.risk_state,
           (SELECT count(*) FROM ops.session_trade t WHERE t.session_id = s.session_id
              AND t.exit_at >= :start AND t.exit_at < :end) AS trades,
           (SELECT coalesce(sum(t.profit), 0) FROM ops.session_trade t
            WHERE t.session_id = s.session_id
              AND t.exit_at >= :start AND t.exit_at < :end) AS profit,
           (SELECT count(*) FROM ops.session_order o WHERE o.session_id = s.session_id
              AND o.intended_at >= :start AND o.intended_at < :end
              AND o.state IN ('rejected', 'unknown')) AS refused,
           (SELECT sum(newest.equity) FROM (
                SELECT DISTINCT ON (e.account) e.equity FROM ops.session_equity e
                WHERE e.session_id = s.session_id AND e.opened_at < :end
                ORDER BY e.account, e.opened_at DESC) newest) AS equity,
           s.cash
    FROM ops.session s
    WHERE s.created_at < :end AND (s.stopped_at IS NULL OR s.stopped_at >= :start)
    ORDER BY s.name, s.session_id
""")


@dataclass(frozen=True, slots=True)
class Summary:
    """The activity of a session. equity: NULL in Postgres, None here, before its first candle."""

    session_id: UUID
    name: str
    state: str
    risk_state: str
    trades: int
    profit: float
    refused: int
    equity: float | None
    cash: float


def sessions_between(connection: Connection, start: datetime, end: datetime) -> list[Summary]:
    """Return what each session did in [start, end) that was not over before it."""
    return [Summary(*row) for row in connection.execute(_SUMMARY, {"start": start, "end": end})]
