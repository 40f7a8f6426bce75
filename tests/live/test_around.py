"""What runs beside the sessions: it beats, delivers and tells, and outlives what fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from live import around
from live.events import CandleAbsent, CandleClosed
from mela.instants import from_ms, to_ms
from mela.interval import DAY_MS, HOUR_MS, Interval
from mela.settings import Settings
from mela.settings.alerts import AlertSettings
from services.alerts.digest import put_digest
from services.alerts.heartbeat import tell_silence
from services.alerts.outbox import utc_now
from tests.live.stored import DOCUMENT, a_session, log
from tests.live.test_news import Fixed
from tests.live.test_publisher import EVENTS
from tests.services.alerts.alert_servers import webhook
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.trading import alerts, beats
from warehouse.trading.alerts import Alert

pytestmark = pytest.mark.integration


@dataclass
class Counts:
    candles: int = 7
    decisions: int = 5
    decision_s: float = 0.25
    waiting: int = 2


@pytest.fixture
def empty(warehouse: Settings) -> Settings:
    with transaction(warehouse) as connection:
        connection.exec_driver_sql("TRUNCATE ops.live_beat, ops.alert_outbox, ops.alert_receiver")
    kafka = warehouse.kafka.model_copy(update={"brokers": "127.0.0.1:9"})
    return warehouse.model_copy(update={"kafka": kafka})


def test_it_beats_and_delivers_while_kafka_is_away(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.publisher.FLUSH_TIMEOUT_S", 0.5)
    monkeypatch.setattr(around, "DELIVER_S", 0.1)
    log(empty, a_session(empty), EVENTS)
    with transaction(empty) as connection:
        alerts.put(connection, Alert("critical", "a", "title", "body"))

    async def live(settings: Settings) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(
            around.run(settings, Counts(), Fixed(), lambda *_: None, stop)
        )
        while not hook.heard:
            await asyncio.sleep(0.05)
        stop.set()
        await running

    with webhook() as hook:
        told = AlertSettings(receivers=(SecretStr(hook.apprise),))
        asyncio.run(asyncio.wait_for(live(empty.model_copy(update={"alerts": told})), 60))
        assert [one["title"] for one in hook.heard] == ["title"]
    [beat] = rows(empty, "SELECT candles, decisions, decision_s, waiting FROM ops.live_beat")
    assert tuple(beat) == (7, 5, 0.25, 2)


def age(settings: Settings, seconds: float) -> None:
    with transaction(settings) as connection:
        connection.exec_driver_sql(
            f"UPDATE ops.session SET started_at = now() - interval '{seconds} s'"
        )


def beat(settings: Settings) -> None:
    around.write_beat(settings, Counts(), utc_now())


def test_a_process_that_is_silent_is_told_and_one_that_lives_is_not(empty: Settings) -> None:
    assert tell_silence(empty) == [], "without sessions nothing is missed"
    a_session(empty)
    assert tell_silence(empty) == [], "it has only just begun"
    age(empty, 3_000)
    [alert] = tell_silence(empty)
    assert (alert.level, alert.key) == ("critical", "live:process")
    beat(empty)
    assert [one.key for one in tell_silence(empty)] == []  # the hour's candle is not overdue
    age(empty, 4_000 + 3_600)
    [alert] = tell_silence(empty)
    assert alert.key.startswith("silent:")
    assert alert.session_id is not None


def test_a_session_may_ask_to_be_told_of_shorter_and_of_longer_silences(empty: Settings) -> None:
    names = {"impatient": 60, "as the stack says": None, "patient": 9_000}
    for name, heartbeat_s in names.items():
        asked = {"name": name, "interval": "1m", "alerts": {"heartbeat_s": heartbeat_s}}
        a_session(empty, {**DOCUMENT, **asked})
    beat(empty)

    told = {}
    for overdue_s in (90, 4_000, 10_000):
        age(empty, 120 + overdue_s)  # the candle that was due first closed in the meantime
        told[overdue_s] = {one.title.partition(":")[0] for one in tell_silence(empty)}

    assert told == {
        90: {"impatient"},
        4_000: {"impatient", "as the stack says"},
        10_000: set(names),
    }


def test_a_session_that_hears_candles_is_not_silent(empty: Settings) -> None:
    session_id = a_session(empty)
    age(empty, 20_000)
    beat(empty)
    assert tell_silence(empty)
    now_ms = to_ms(utc_now())
    closed = candle("binance:BTCUSDT", Interval.H1, now_ms - now_ms % HOUR_MS - HOUR_MS)
    log(empty, session_id, [closed])
    assert tell_silence(empty) == []


def candle(instrument: str, interval: Interval, opened_ms: int) -> CandleClosed:
    """Return a candle that came two seconds after its end."""
    received_ms = interval.end_ms(opened_ms) + 2_000
    return CandleClosed(instrument, interval, opened_ms, 1.0, 1.0, 1.0, 1.0, 1.0, received_ms)


def silences(settings: Settings, at_ms: int) -> list[Alert]:
    """Return what is told at an instant at which the process lives."""
    at = from_ms(at_ms)
    with transaction(settings) as connection:
        connection.exec_driver_sql("UPDATE ops.session SET started_at = '2020-01-01'")
        beats.beat(
            connection, "p", at, started_at=at, candles=0, decisions=0, decision_s=0.0, waiting=0
        )
    return tell_silence(settings, lambda: at)


@pytest.mark.parametrize("interval", [Interval.M1, Interval.H1, Interval.D1])
def test_silence_counts_from_the_close_of_the_candle_after_the_last(
    empty: Settings, interval: Interval
) -> None:
    session_id = a_session(empty, {**DOCUMENT, "interval": interval.value})
    today_ms = to_ms(utc_now()) // DAY_MS * DAY_MS
    log(empty, session_id, [candle("binance:BTCUSDT", interval, today_ms)])
    due_ms = interval.end_ms(interval.end_ms(today_ms))  # when the next one has closed
    assert silences(empty, due_ms + 299_000) == []
    [alert] = silences(empty, due_ms + 301_000)
    assert alert.session_id == session_id


def test_one_dead_instrument_of_several_is_told_by_its_name(empty: Settings) -> None:
    names = ["binance:BTCUSDT", "binance:ETHUSDT", "binance:SOLUSDT"]
    session_id = a_session(empty, {**DOCUMENT, "instruments": names, "interval": "1m"})
    today_ms = to_ms(utc_now()) // DAY_MS * DAY_MS
    minutes = [today_ms + 60_000 * number for number in range(10)]
    heard = [candle(name, Interval.M1, at) for at in minutes for name in names[:1]]
    heard += [candle(names[1], Interval.M1, at) for at in minutes[:2]]
    log(empty, session_id, heard)  # nothing ever came of the third
    [alert] = silences(empty, minutes[-1] + 60_000)
    assert names[0] not in alert.body
    assert f"{names[1]} since that of {from_ms(minutes[1]):%Y-%m-%d %H:%M:%S}Z" in alert.body
    assert f"{names[2]} since the session began" in alert.body


def test_a_series_whose_candles_are_absent_again_and_again_is_told(empty: Settings) -> None:
    names = ["binance:BTCUSDT", "binance:ETHUSDT"]
    session_id = a_session(empty, {**DOCUMENT, "instruments": names, "interval": "1m"})
    today_ms = to_ms(utc_now()) // DAY_MS * DAY_MS
    minutes = [today_ms + 60_000 * number for number in range(10)]
    log(empty, session_id, [candle(name, Interval.M1, minutes[0]) for name in names])
    for at in minutes[1:]:
        log(empty, session_id, [candle(names[0], Interval.M1, at)])
        absent = CandleAbsent(Interval.M1, at, (names[1],), at + 90_000, "not at REST")
        log(empty, session_id, [absent])
    [alert] = silences(empty, minutes[-1] + 120_000)
    assert f"{names[1]} since that of" in alert.body
    assert f"its market has none up to {from_ms(minutes[-1]):%Y-%m-%d %H:%M:%S}Z" in alert.body
    assert names[0] not in alert.body
    log(empty, session_id, [candle(names[1], Interval.M1, minutes[-1] + 60_000)])
    assert silences(empty, minutes[-1] + 120_000) == []


def test_hours_of_a_stock_are_not_missed_overnight_and_are_in_the_morning(empty: Settings) -> None:
    document = {**DOCUMENT, "instruments": ["alpaca:AAPL"], "interval": "1h"}
    session_id = a_session(empty, document)
    ends = to_ms(datetime(2026, 1, 6, 21, tzinfo=UTC))  # on a Tuesday, at 16:00 in New York
    log(empty, session_id, [candle("alpaca:AAPL", Interval.H1, ends - HOUR_MS)])
    begins = ends + 17 * HOUR_MS  # 9:00 in New York, the whole hour in which it opens
    for at_ms in (ends + HOUR_MS, begins + HOUR_MS + 299_000):
        assert silences(empty, at_ms) == []
    assert len(silences(empty, begins + HOUR_MS + 301_000)) == 1


def test_a_stock_session_is_not_silent_while_its_market_is_closed(empty: Settings) -> None:
    document = {
        "name": "stocks",
        "instruments": ["alpaca:AAPL"],
        "interval": "1m",
        "strategy": {"name": "sma_cross"},
    }
    a_session(empty, document)
    monday = utc_now().replace(hour=12, minute=0, second=0) + timedelta(days=7)
    while monday.weekday() != 6:  # a Sunday
        monday += timedelta(days=1)
    with transaction(empty) as connection:
        connection.exec_driver_sql(
            f"UPDATE ops.session SET started_at = '{monday - timedelta(hours=10)}'"
        )
        beats.beat(
            connection, "p", monday, started_at=monday, candles=0, decisions=0, decision_s=0.0,
            waiting=0,
        )  # fmt: skip
    assert tell_silence(empty, lambda: monday) == []


def test_a_digest_is_put_once_a_day_after_its_time(empty: Settings) -> None:
    a_session(empty)
    told = AlertSettings(digest="08:00", zone="Europe/Berlin")
    settings = empty.model_copy(update={"alerts": told})
    noon = utc_now().replace(hour=12)
    assert not put_digest(settings, lambda: noon.replace(hour=5))
    assert put_digest(settings, lambda: noon + timedelta(days=1))
    assert not put_digest(settings, lambda: noon + timedelta(days=1, minutes=1))
    assert put_digest(settings, lambda: noon + timedelta(days=2))
    found = rows(empty, "SELECT body FROM ops.alert_outbox ORDER BY id")
    assert "a session: running, no candle yet, 0 trades, profit +0.00" in found[0].body
    assert not put_digest(empty, lambda: noon + timedelta(days=3)), "no time is set: none is told"
