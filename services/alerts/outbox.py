"""Deliver the alerts that wait in the outbox, at least once, to each receiver.

Several processes may do so at the same time: an alert is taken by one of them. A process that dies
between sending and noting it makes the alert come twice, and never not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from mela.settings import Settings
from mela.settings.alerts import AlertSettings
from services.alerts.receivers import Message, Receiver, receivers_of
from warehouse.database import transaction
from warehouse.trading import alerts as outbox
from warehouse.trading.alerts import LEVELS, Level, Paused, Taken

log = structlog.get_logger()
AT_ONCE = 100  # alerts of one call
FIRST_WAIT_S = 30.0  # after a receiver failed; twice as long after each further failure
MOST_WAIT_S = 3_600.0
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


def deliver_due(settings: Settings, clock: Clock = utc_now) -> int:
    """Deliver what is due and may be told now; return how many alerts every receiver has.

    Raises what the warehouse raises when it is away; a receiver that is away is left alone for a
    while, as long as it asks for if it says so.
    """
    receivers = receivers_of(settings)
    rules = settings.alerts
    with transaction(settings) as connection:
        below = LEVELS[: LEVELS.index(rules.level)]
        outbox.drop(connection, below, "below the level that is delivered", is_all=False)
        if not receivers:
            outbox.drop(connection, (), "no receiver is set", is_all=True)
        outbox.give_up(connection, clock() - timedelta(hours=rules.keep_hours))
    delivered = 0
    for _ in range(AT_ONCE if receivers else 0):
        now = clock()
        told_since = now - timedelta(seconds=rules.coalesce_s)
        with transaction(settings) as connection:
            taken = outbox.take(connection, now, levels_now(rules, now), told_since)
            paused = outbox.paused(connection)
        if taken is None:
            break
        delivered += _deliver(settings, taken, receivers, paused, clock)
    return delivered


def levels_now(rules: AlertSettings, now: datetime) -> tuple[Level, ...]:
    """Return the levels that are delivered at this time.

    >>> from datetime import UTC, datetime
    >>> rules = AlertSettings(quiet="22:00-07:00", zone="Europe/Berlin")
    >>> levels_now(rules, datetime(2026, 1, 1, 21, 30, tzinfo=UTC))
    ('critical',)
    >>> levels_now(rules, datetime(2026, 1, 1, 6, 0, tzinfo=UTC))
    ('warning', 'error', 'critical')
    """
    least = LEVELS.index(rules.level)
    if rules.quiet_hours and _is_in(now.astimezone(ZoneInfo(rules.zone)).time(), rules.quiet_hours):
        least = max(least, LEVELS.index(rules.quiet_level))
    return LEVELS[least:]


def _is_in(clock: time, hours: tuple[time, time]) -> bool:
    begin, end = hours
    return begin <= clock < end if begin <= end else clock >= begin or clock < end


def _deliver(
    settings: Settings,
    taken: Taken,
    receivers: Sequence[Receiver],
    paused: dict[str, Paused],
    clock: Clock,
) -> bool:
    """Send an alert to those who do not have it; return whether all have it now."""
    message = Message(taken.level, taken.key, taken.title, _body(taken))
    has = [one for one in taken.delivered if one in {each.name for each in receivers}]
    waits: list[datetime] = []
    error = ""
    for receiver in receivers:
        if receiver.name in has:
            continue
        before = paused.get(receiver.name)
        if before is not None and before.paused_until > clock():
            waits.append(before.paused_until)
            error = error or f"{receiver.service} is left alone"
            continue
        answer = receiver.send(message)
        now = clock()
        if answer.error is None:
            has.append(receiver.name)
            if before is not None:
                with transaction(settings) as connection:
                    outbox.is_well(connection, receiver.name)
            continue
        failures = before.failures if before else 0
        wait_s = answer.retry_after_s
        if wait_s is None:
            wait_s = min(FIRST_WAIT_S * 2.0**failures, MOST_WAIT_S)
        until = now + timedelta(seconds=wait_s)
        error = f"{receiver.service}: {answer.error}"
        log.warning(
            "alert_not_delivered", service=receiver.service, why=answer.error, wait_s=wait_s
        )
        with transaction(settings) as connection:
            outbox.pause(connection, receiver.name, receiver.service, until, error, now)
        waits.append(until)
    with transaction(settings) as connection:
        if waits:
            outbox.put_back(connection, taken, has, min(waits), error)
        else:
            outbox.sent(connection, taken, has, clock())
    return not waits


def _body(taken: Taken) -> str:
    if taken.times == 1:
        return taken.body
    since = taken.created_at.astimezone(UTC)
    return f"{taken.body}\n{taken.times} times since {since:%Y-%m-%d %H:%M:%S}Z".lstrip()
