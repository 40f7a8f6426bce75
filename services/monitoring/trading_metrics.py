"""The metrics of trading that Prometheus reads, and how they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mela.settings import Settings
from services.alerts.heartbeat import overdue_s
from services.monitoring.metric import Exported
from warehouse.database import transaction
from warehouse.trading import counts
from warehouse.trading.alerts import STATES as ALERT_STATES

TRADING: tuple[Exported, ...] = (
    Exported(
        "mela_trading_sessions",
        "gauge",
        "Trading sessions by state, as a number.",
        "trading",
        ("state",),
    ),
    Exported(
        "mela_trading_beat_age_seconds",
        "gauge",
        "Time since a process that trades was last alive, in seconds; at most a day.",
        "trading",
    ),
    Exported(
        "mela_trading_candle_lag_seconds",
        "gauge",
        "Time since a candle should have come for the running session that waits longest, by the "
        "calendars of the markets, in seconds; 0 if none waits.",
        "trading",
        ("interval",),
    ),
    Exported(
        "mela_trading_candles",
        "counter",
        "Candles that the processes which trade have taken since they started, as a number.",
        "trading",
    ),
    Exported(
        "mela_trading_decision_seconds",
        "summary",
        "Time in which the engine decided on candles since its process started, in seconds.",
        "trading",
    ),
    Exported(
        "mela_trading_events_waiting",
        "gauge",
        "Events that the engine has not taken yet, as a number.",
        "trading",
    ),
    Exported(
        "mela_trading_events_untold",
        "gauge",
        "Events of sessions under way that Kafka was not told of yet, as a number.",
        "trading",
    ),
    Exported(
        "mela_trading_orders",
        "gauge",
        "Orders of sessions under way by state, as a number.",
        "trading",
        ("state",),
    ),
    Exported(
        "mela_trading_refusals",
        "gauge",
        "Entries of sessions under way that the gate of risk refused, by code, as a number.",
        "trading",
        ("code",),
    ),
    Exported(
        "mela_trading_drifts",
        "gauge",
        "Sessions under way by the state of their newest comparison with a backtest, as a number.",
        "trading",
        ("state",),
    ),
    Exported(
        "mela_alerts",
        "gauge",
        "Alerts in the outbox by state, as a number.",
        "trading",
        ("state",),
    ),
    Exported(
        "mela_alert_receivers_failing",
        "gauge",
        "Receivers of alerts that failed and are left alone for a while, as a number.",
        "trading",
    ),
)
# What has not happened yet is 0, and no gap: a rate needs the number before the first one.
_SESSION_STATES = ("starting", "running", "paused", "stopping", "stopped", "failed")
_OPEN = ("intended", "submitted", "accepted", "partly_filled", "unknown", "filled", "rejected")
_DRIFT_STATES = ("ok", "beyond", "failed")
_DAY_S = 86_400.0
Values = dict[str, list[tuple[tuple[str, ...], Any]]]


def measure(settings: Settings, now: datetime, *, limit_s: float) -> Values:
    """Return metric → (labels' values, value). Raises sqlalchemy's errors.

    limit_s: a statement that takes longer is ended
    """
    with transaction(settings) as connection:
        found = counts.counted(connection, limit_s=limit_s)
    lags: dict[str, float] = {}
    for one in found.under_way:
        if one.state in ("running", "paused"):
            lag = overdue_s(one, now, is_replayed=settings.replay_url is not None)
            lags[one.interval] = max(lag, lags.get(one.interval, 0.0))
    age_s = _DAY_S if found.beat_at is None else (now - found.beat_at).total_seconds()
    return {
        "mela_trading_sessions": _by(dict.fromkeys(_SESSION_STATES, 0) | found.sessions),
        "mela_trading_beat_age_seconds": [((), min(max(age_s, 0.0), _DAY_S))],
        "mela_trading_candle_lag_seconds": _by(lags),
        "mela_trading_candles": [((), found.candles)],
        "mela_trading_decision_seconds": [((), (found.decisions, found.decision_s))],
        "mela_trading_events_waiting": [((), found.waiting)],
        "mela_trading_events_untold": [((), found.untold)],
        "mela_trading_orders": _by(dict.fromkeys(_OPEN, 0) | found.orders),
        "mela_trading_refusals": _by(found.refused),
        "mela_trading_drifts": _by(dict.fromkeys(_DRIFT_STATES, 0) | found.drift),
        "mela_alerts": _by(dict.fromkeys(ALERT_STATES, 0) | found.alerts),
        "mela_alert_receivers_failing": [((), found.failing)],
    }


def _by(values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    return [((key,), value) for key, value in sorted(values.items())]
