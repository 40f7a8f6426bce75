"""Say that nothing is heard: of the processes that trade, or of a session while its market trades.

Whoever watches must not be what is watched: the monitor asks too, and the process that trades.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mela.calendars import expected_opens_ms
from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from services.outbox import Clock, utc_now
from sources.instruments import describe
from warehouse.database import transaction
from warehouse.trading import alerts, beats
from warehouse.trading.alerts import Alert
from warehouse.trading.beats import UnderWay


def tell_silence(settings: Settings, clock: Clock = utc_now) -> list[Alert]:
    """Put an alert for each silence into the outbox; return them.

    A silence that goes on is put again and told again once `coalesce_s` is over.
    """
    now, silence_s = clock(), settings.alerts.silence_s
    with transaction(settings) as connection:
        found = _silences(
            beats.newest_beat(connection),
            beats.under_way(connection),
            now,
            silence_s,
            is_replayed=settings.replay_url is not None,
        )
        for one in found:
            alerts.put(connection, one)
    return found


def _silences(
    beat_at: datetime | None,
    sessions: list[UnderWay],
    now: datetime,
    silence_s: float,
    *,
    is_replayed: bool,
) -> list[Alert]:
    def has_gone_on_for(one: UnderWay, seconds: float) -> bool:
        return now - one.started_at > timedelta(seconds=seconds)

    old = [one for one in sessions if has_gone_on_for(one, one.heartbeat_s or silence_s)]
    if not old:
        return []
    if beats.is_silent(beat_at, now, silence_s):
        since = "never" if beat_at is None else f"{beat_at:%Y-%m-%d %H:%M:%S}Z"
        body = (
            f"{len(old)} under way, and no process trades: last alive {since}. Orders at a broker "
            "stay where they are. `mela status` and `mela logs live` tell more."
        )
        return [Alert("critical", "live:process", "Nobody trades", body)]
    return [
        Alert(
            "error",
            f"silent:{one.session_id}",
            f"{one.name}: no candle",
            f"The last {one.interval} candle was stored at {one.heard_at:%Y-%m-%d %H:%M:%S}Z, and "
            "the market should have had a later one. The feed may be connected and mute.",
            one.session_id,
            one.user_id,
        )
        for one in old
        if one.state in ("running", "paused")
        and overdue_s(one, now, is_replayed=is_replayed) >= (one.heartbeat_s or silence_s)
    ]


def overdue_s(session: UnderWay, now: datetime, *, is_replayed: bool) -> float:
    """Return for how long a candle that opened since the last one should have closed; 0 if none.

    A replay has its own date, at which no calendar of today helps: there every interval counts.
    """
    interval, heard_ms, now_ms = Interval(session.interval), to_ms(session.heard_at), to_ms(now)
    if is_replayed:
        return max(now_ms - interval.end_ms(heard_ms), 0) / 1000
    lags = [0.0]
    for calendar in {describe(name).calendar for name in session.instruments}:
        opens = expected_opens_ms(calendar, interval, heard_ms, now_ms)
        if len(opens):
            lags.append((now_ms - interval.end_ms(int(opens[0]))) / 1000)
    return max(lags)
