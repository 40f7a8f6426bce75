"""Kafka hears all that a log says, in its order, also when who tells dies in between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import text

from live.events import FillBooked, Held, Intended, OrderChanged, Ticked, Valued, encode
from live.orders import Order, OrderState
from live.publisher import message_of, publish_new
from mela.errors import SourceUnavailable
from mela.settings import Settings
from mela.trading_messages import FILLS, ORDERS, TRADING, FillTold, OrderTold, PositionsTold
from messaging.publisher import Publisher
from tests.live.stored import a_session, log
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.trading import published
from warehouse.trading.published import LogLine

NAN = math.nan
NOW = datetime(2024, 1, 1, tzinfo=UTC)
ORDER = Order(
    *("1-e-1", "binance:BTCUSDT", "enter", "buy", "market", NAN, NAN, "entry"),
    candle_ms=0,
    intended_ms=3_600_000,
)
DONE = replace(
    ORDER, units=2.0, state=OrderState.FILLED, filled_units=2.0, average_price=10.0, changed_ms=1
)
EVENTS = [
    Ticked(1),
    Intended(ORDER, for_broker=False),
    FillBooked("1-e-1", "f-1", "binance:BTCUSDT", "buy", 2.0, 10.0, 0.02, 5),
    OrderChanged(DONE),
    Valued(0, 0, 3_600_000, 99.98, 79.98, (Held("binance:BTCUSDT", 2.0, 10.0, 10.0, 20.0),)),
]


@pytest.fixture
def settings(warehouse: Settings, streams: Settings) -> Settings:
    return warehouse.model_copy(update={"kafka": streams.kafka})


@pytest.fixture
def heard(settings: Settings) -> Iterator[Heard]:
    heard = Heard(settings)
    yield heard
    heard.consumer.close()


class Heard:
    """What comes to the topics of trading from now on."""

    def __init__(self, settings: Settings) -> None:
        kafka = settings.kafka
        self.consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "test-told"})
        places = [
            TopicPartition(topic, partition)
            for topic in TRADING
            for partition in range(kafka.partitions)
        ]
        for place in places:
            place.offset = self.consumer.get_watermark_offsets(place, timeout=30)[1]
        self.consumer.assign(places)

    def next(self, count: int) -> list[tuple[str, str, bytes]]:
        found = self.consumer.consume(count, timeout=30)
        assert len(found) == count
        return [(one.topic(), one.key().decode(), one.value()) for one in found]


def seqs(messages: list[tuple[str, str, bytes]], topic: str) -> list[int]:
    kinds = {ORDERS: OrderTold, FILLS: FillTold}
    kind = kinds.get(topic, PositionsTold)
    return [kind.of_bytes(value).seq for name, _, value in messages if name == topic]


@pytest.mark.integration
def test_a_log_is_told_once_and_in_order(settings: Settings, heard: Heard) -> None:
    session_id = a_session(settings)
    log(settings, session_id, EVENTS)
    assert publish_new(settings) == 4
    told = heard.next(4)
    assert {key for _, key, _ in told} == {str(session_id)}
    assert [seqs(told, topic) for topic in TRADING] == [[2, 4], [3], [5]]
    assert publish_new(settings) == 0
    log(settings, session_id, EVENTS[3:])
    assert publish_new(settings) == 2
    assert [seqs(heard.next(2), topic) for topic in (ORDERS,)] == [[6]]


@pytest.mark.integration
def test_what_was_not_noted_as_told_is_told_again(
    settings: Settings, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies after Kafka confirmed says the same again, and leaves nothing out."""
    session_id = a_session(settings)
    log(settings, session_id, EVENTS)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as scope:
        scope.setattr(published, "set_told", die)
        with pytest.raises(KeyboardInterrupt):
            publish_new(settings)
    assert publish_new(settings) == 4
    told = heard.next(8)
    assert sorted(seqs(told, ORDERS)) == [2, 2, 4, 4]


@pytest.mark.integration
def test_while_kafka_is_away_nothing_counts_as_told(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.publisher.FLUSH_TIMEOUT_S", 1.0)
    kafka = warehouse.kafka.model_copy(update={"brokers": "127.0.0.1:9"})
    session_id = a_session(warehouse)
    log(warehouse, session_id, EVENTS)
    with pytest.raises(SourceUnavailable):
        publish_new(warehouse, Publisher(kafka))
    assert rows(warehouse, "SELECT * FROM ops.session_published") == []


@pytest.mark.integration
def test_one_process_tells_at_a_time(warehouse: Settings) -> None:
    log(warehouse, a_session(warehouse), EVENTS)
    with transaction(warehouse) as connection:
        assert published.alone(connection)
        assert publish_new(warehouse, None) == 0


@pytest.mark.integration
def test_a_session_that_ended_and_was_told_is_not_looked_at_again(warehouse: Settings) -> None:
    session_id = a_session(warehouse)
    with transaction(warehouse) as connection:
        published.set_told(connection, session_id, 5)
        connection.execute(
            text("UPDATE ops.session SET state = 'stopped', stopped_at = now() - interval '1 hour'")
        )
        assert published.cursors(connection) == []


def test_what_is_not_a_number_is_null() -> None:
    line = LogLine(2, "Intended", NOW, encode(EVENTS[1]))
    told = OrderTold.of_bytes(message_of(UUID(int=1), line).value)
    assert told.units is None
    assert told.average_price is None
    assert told.changed_at is None
    assert told.state == "intended"


def test_an_event_that_is_not_told_is_refused() -> None:
    with pytest.raises(ValueError, match="Ticked"):
        message_of(UUID(int=1), LogLine(1, "Ticked", NOW, encode(EVENTS[0])))
