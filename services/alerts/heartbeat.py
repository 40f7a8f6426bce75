"""Say that nothing is heard: of the processes that trade, or of a series while its market trades.

A watcher must not watch itself, so both the monitor and the trading process ask.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from mela.calendars import expected_opens_ms
from mela.candle_clock import FOREVER_MS, CandleClock
from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from services.alerts.outbox import Clock, utc_now
from sources.instruments import describe
from warehouse.database import transaction
from warehouse.trading import alerts, beats
from warehouse.trading.alerts import Alert
from warehouse.trading.beats import Heard, UnderWay

MOST_NAMED = 10  # series in an alert


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
    silent = [one for one in old if one.state in ("running", "paused")]
    told = [
        (one, late_series(one, now, one.heartbeat_s or silence_s, is_replayed=is_replayed))
        for one in silent
    ]
    return [_silent(one, series) for one, series in told if series]


def _silent(session: UnderWay, series: list[Heard]) -> Alert:
    named = "; ".join(_named(one, session) for one in series[:MOST_NAMED])
    more = f"; and {len(series) - MOST_NAMED} more" if len(series) > MOST_NAMED else ""
    return Alert(
        "error",
        f"silent:{session.session_id}",
        f"{session.name}: no candle",
        f"No {session.interval} candle came of {named}{more}. The market should have had a later "
        "one: the feed may be connected and mute, or what is traded may be halted or delisted.",
        session.session_id,
        session.user_id,
    )


def _named(one: Heard, session: UnderWay) -> str:
    name = one.instrument
    if one.interval != session.interval:
        name += f" in {one.interval}"
    if one.opened_at is None:
        said = f"{name} since the session began at {_words(session.started_at)}"
    else:
        said = f"{name} since that of {_words(one.opened_at)}"
    if one.absent_at is None or (one.opened_at is not None and one.absent_at < one.opened_at):
        return said
    return f"{said} (asked for it, its market has none up to {_words(one.absent_at)})"


def _words(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def late_series(
    session: UnderWay, now: datetime, seconds: float, *, is_replayed: bool
) -> list[Heard]:
    """Return the series of a session whose next candle should have closed so long ago."""
    return [
        one
        for one in session.series
        if _overdue_s(one, session.started_at, now, is_replayed=is_replayed) >= seconds
    ]


def overdue_s(session: UnderWay, now: datetime, *, is_replayed: bool) -> float:
    """Return for how long a candle of any series should have closed; 0 where none is missing."""
    lags = [
        _overdue_s(one, session.started_at, now, is_replayed=is_replayed) for one in session.series
    ]
    return max(lags, default=0.0)


def _overdue_s(one: Heard, started_at: datetime, now: datetime, *, is_replayed: bool) -> float:
    """Return for how long the candle after the last one should have closed; 0 if it need not have.

    A replay has its own date, at which no calendar of today helps: there every interval counts,
    from when the last candle was stored.
    """
    interval, now_ms = Interval(one.interval), to_ms(now)
    if is_replayed:
        return max(now_ms - interval.end_ms(to_ms(one.heard_at or started_at)), 0) / 1000
    calendar = describe(one.instrument).calendar
    if one.opened_at is None:
        clock, after_ms = _clock(calendar, interval, None), to_ms(started_at) - 1
    else:
        after_ms = to_ms(one.opened_at)
        clock = _clock(calendar, interval, _offset_ms(calendar, interval, after_ms))
    due_ms = clock.next_after(after_ms)
    return 0.0 if due_ms >= FOREVER_MS else max(now_ms - clock.closes_ms(due_ms), 0) / 1000


def _offset_ms(calendar: str, interval: Interval, opened_ms: int) -> int | None:
    """Return the grid on which candles stand that are not where their calendar expects them."""
    step = interval.fixed_ms
    if step is None or not interval.is_intraday:
        return None
    try:
        expected = expected_opens_ms(calendar, interval, opened_ms, opened_ms + 1)
    except ValueError:  # a market whose hours nobody knows
        return None
    return None if len(expected) else opened_ms % step


@lru_cache(maxsize=1_000)
def _clock(calendar: str, interval: Interval, offset_ms: int | None) -> CandleClock:
    return CandleClock(calendar, interval, offset_ms)
