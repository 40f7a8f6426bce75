"""The daily digest: what sessions did in the last day, in one message."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mela.settings import Settings
from services.alerts.outbox import Clock, utc_now
from warehouse.database import transaction
from warehouse.trading import alerts, summary
from warehouse.trading.alerts import LEVELS, Alert
from warehouse.trading.summary import Summary

MOST_LINES = 50


def put_digest(settings: Settings, clock: Clock = utc_now) -> bool:
    """Put the digest of the last 24 hours into the outbox once it is due; return whether it was.

    It is put once for a day, however many processes ask. Without sessions and alerts it is put too,
    so that its absence tells something. It has the least level that is delivered.
    """
    rules, now = settings.alerts, clock()
    if not rules.digest:
        return False
    zone = ZoneInfo(rules.zone)
    local = now.astimezone(zone)
    due = datetime.combine(local.date(), time.fromisoformat(rules.digest), zone)
    if now < due:
        return False
    end = due.astimezone(UTC)
    start = end - timedelta(days=1)
    key = f"digest:{local.date().isoformat()}"
    with transaction(settings) as connection:
        sessions = summary.sessions_between(connection, start, end)
        told = alerts.levels_between(connection, start, end)
        title = f"Mela, {local.date().isoformat()}"
        digest = Alert(rules.level, key, title, _text(sessions, told))
        return alerts.put_once(connection, digest)


def _text(sessions: list[Summary], told: dict[str, int]) -> str:
    lines = [_line(one) for one in sessions[:MOST_LINES]]
    if len(sessions) > MOST_LINES:
        lines.append(f"and {len(sessions) - MOST_LINES} more sessions")
    counts = ", ".join(f"{told[level]} {level}" for level in reversed(LEVELS) if level in told)
    return "\n".join([*(lines or ["no session traded"]), f"alerts: {counts or 'none'}"])


def _line(one: Summary) -> str:
    equity = "no candle yet" if one.equity is None else f"equity {one.equity:,.2f}"
    refused = f", {one.refused} orders rejected or unknown" if one.refused else ""
    risk = "" if one.risk_state == "active" else f", risk {one.risk_state}"
    return (
        f"{one.name}: {one.state}{risk}, {equity}, {one.trades} trades, "
        f"profit {one.profit:+,.2f}{refused}"
    )
