"""Counts of sessions, orders, verdicts and alerts for whoever watches: cheap however much there is.

Orders and verdicts are those of sessions under way; what ended is in the marts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from warehouse.trading import alerts, beats
from warehouse.trading.beats import UnderWay

_SESSIONS = text("SELECT state, count(*) AS sessions FROM ops.session GROUP BY state")
_ORDERS = text("""
    SELECT o.state, count(*) AS orders FROM ops.session_order o
    JOIN ops.session s USING (session_id)
    WHERE s.state NOT IN ('stopped', 'failed') GROUP BY o.state
""")
_REFUSED = text("""
    SELECT v.code, count(*) AS verdicts FROM ops.session_verdict v
    JOIN ops.session s USING (session_id)
    WHERE s.state NOT IN ('stopped', 'failed') AND NOT v.is_allowed GROUP BY v.code
""")
_UNTOLD = text("""
    SELECT coalesce(sum(newest.seq - coalesce(p.seq, 0)), 0)
    FROM ops.session s LEFT JOIN ops.session_published p USING (session_id),
        LATERAL (SELECT coalesce(max(e.seq), 0) AS seq FROM ops.session_event e
                 WHERE e.session_id = s.session_id) AS newest
    WHERE s.state NOT IN ('stopped', 'failed')
""")
_BEAT = text("""
    SELECT max(beat_at) AS beat_at, coalesce(sum(candles), 0) AS candles,
           coalesce(sum(decisions), 0) AS decisions, coalesce(sum(decision_s), 0) AS decision_s,
           coalesce(sum(waiting), 0) AS waiting
    FROM ops.live_beat WHERE beat_at > now() - interval '1 day'
""")
_DRIFT = text("""
    SELECT newest.state, count(*) AS sessions FROM (
        SELECT DISTINCT ON (d.session_id) d.state FROM ops.session_drift d
        JOIN ops.session s USING (session_id)
        WHERE s.state NOT IN ('stopped', 'failed') AND d.candles = 'decided'
        ORDER BY d.session_id, d.on_day DESC) AS newest
    GROUP BY newest.state
""")
_FAILING = text("SELECT count(*) FROM ops.alert_receiver WHERE paused_until > now()")


@dataclass(frozen=True, slots=True)
class TradingCounts:
    """Counts of trading in the warehouse.

    sessions, orders, alerts: by state; refused: entries by the code of their verdict; drift:
    sessions under way by the state of their newest comparison
    beat_at: None if no process was alive in the last day
    untold: events that Kafka was not told of; failing: receivers of alerts that are left alone
    """

    sessions: dict[str, int]
    orders: dict[str, int]
    refused: dict[str, int]
    drift: dict[str, int]
    alerts: dict[str, int]
    under_way: list[UnderWay]
    beat_at: datetime | None
    candles: int
    decisions: int
    decision_s: float
    waiting: int
    untold: int
    failing: int


def counted(connection: Connection, *, limit_s: float) -> TradingCounts:
    """Count. Raises sqlalchemy's DBAPIError if a statement takes longer than `limit_s`."""
    connection.execute(
        text("SELECT set_config('statement_timeout', :limit, true)"),
        {"limit": f"{round(limit_s * 1000)}"},
    )
    beat = connection.execute(_BEAT).one()
    return TradingCounts(
        sessions={row.state: row.sessions for row in connection.execute(_SESSIONS)},
        orders={row.state: row.orders for row in connection.execute(_ORDERS)},
        refused={row.code: row.verdicts for row in connection.execute(_REFUSED)},
        drift={row.state: row.sessions for row in connection.execute(_DRIFT)},
        alerts=alerts.counted(connection),
        under_way=beats.under_way(connection),
        beat_at=beat.beat_at,
        candles=int(beat.candles),
        decisions=int(beat.decisions),
        decision_s=float(beat.decision_s),
        waiting=int(beat.waiting),
        untold=int(connection.scalar(_UNTOLD) or 0),
        failing=int(connection.scalar(_FAILING) or 0),
    )
