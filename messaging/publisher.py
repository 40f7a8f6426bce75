"""Sending to Kafka so that a message counts as sent only once it has arrived."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from mela.counts import counted
from mela.errors import Refused, SourceUnavailable
from mela.messages import MessagePosition, Progress, RunChunk
from mela.scene import Scene
from mela.settings import KafkaSettings, Settings
from mela.training import Training
from messaging.codec import (
    Encoded,
    encode_chunk,
    encode_progress,
    encode_rejected,
    encode_result,
    encode_scene,
)
from messaging.connection import client
from messaging.topics import MAX_BROKER_BYTES

LINGER_MS = 100
FLUSH_TIMEOUT_S = 60.0
_publishers: dict[tuple[str, str, int, str], Publisher] = {}


class Publisher(AbstractContextManager["Publisher"]):
    """An idempotent producer that remembers delivery errors until `flush`, which raises them.

    Delivery is at least once: a caller must flush before it counts its input as done.
    """

    def __init__(self, kafka: KafkaSettings, *, linger_ms: int = LINGER_MS) -> None:
        self._errors: list[KafkaError] = []
        self.partitions = kafka.partitions
        self._brokers = kafka.brokers
        self._config: dict[str, Any] = {
            **client(kafka),
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "delivery.report.only.error": True,
            "message.max.bytes": MAX_BROKER_BYTES,
            "delivery.timeout.ms": int(FLUSH_TIMEOUT_S * 1000),
            "queue.buffering.max.messages": 200_000,
            "log_level": 2,  # it would report each attempt to connect; `flush` says what failed
        }
        self._producer = Producer(self._config)

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None:
            self.flush()

    def scene(self, scene: Scene | Training) -> None:
        """Send a scene, or one of kind train, which must have its id, to `mela.scenes`."""
        self._send(encode_scene(scene))

    def chunk(self, chunk: RunChunk) -> None:
        """Send runs to `mela.runs`."""
        self._send(encode_chunk(chunk, self.partitions))

    def result(self, scene_id: str, run_key: str, body: bytes) -> None:
        """Send a result document to `mela.results`."""
        self._send(encode_result(scene_id, run_key, body))

    def progress(self, progress: Progress) -> None:
        """Send a scene's progress to `mela.progress`."""
        self._send(encode_progress(progress))

    def rejected(self, original: bytes | None, source: MessagePosition, refused: Refused) -> None:
        """Send a refused message to `mela.rejected`, whole, with the reason."""
        self._send(encode_rejected(original, source, refused, at=datetime.now(UTC)))

    def send(self, topic: str, key: str, value: bytes, *, partition: int | None = None) -> None:
        """Queue one message. Waits while the queue is full."""
        self._send(Encoded(topic, key, value, partition))

    def flush(self) -> None:
        """Wait until every queued message has arrived. Raises SourceUnavailable if one has not."""
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        errors, self._errors = self._errors, []
        if errors or left:  # an idempotent producer that failed once may refuse for good
            self._producer = Producer(self._config)
        if errors:
            raise SourceUnavailable(
                f"Kafka did not take {counted(len(errors), 'message')}"
            ) from KafkaException(errors[0])
        if left:
            raise SourceUnavailable(
                f"Kafka at {self._brokers} did not take {counted(left, 'message')} within "
                f"{FLUSH_TIMEOUT_S:g} s"
            )

    def _send(self, message: Encoded) -> None:
        topic, key, value, partition = message
        extra: dict[str, Any] = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered, **extra)
            except BufferError:
                self._producer.poll(1.0)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._errors.append(error)


def publisher_of(settings: Settings, *, linger_ms: int = LINGER_MS, owner: str = "") -> Publisher:
    """Return this process's producer for a broker and a linger time. It lives until the end.

    owner: who flushes it. Threads need one each, else one would take the other's errors.
    """
    key = settings.kafka.brokers, settings.kafka.user, linger_ms, owner
    if key not in _publishers:
        _publishers[key] = Publisher(settings.kafka, linger_ms=linger_ms)
    return _publishers[key]


def send_again(
    kafka: KafkaSettings,
    position: MessagePosition,
    key: bytes | None,
    value: bytes,
    mark: tuple[str, bytes],
) -> MessagePosition:
    """Send a message to the partition that it once came from; return where it is now.

    mark: a header that says which message it repeats. Raises SourceUnavailable.
    """
    arrived: list[tuple[KafkaError | None, int]] = []
    producer = Producer(
        {
            "bootstrap.servers": kafka.brokers,
            "enable.idempotence": True,
            "message.max.bytes": MAX_BROKER_BYTES,
            "delivery.timeout.ms": int(FLUSH_TIMEOUT_S * 1000),
            "log_level": 2,
        }
    )
    producer.produce(
        position.topic,
        value,
        key,
        partition=position.partition,
        headers=[mark],
        on_delivery=lambda error, message: arrived.append((error, message.offset() or 0)),
    )
    producer.flush(FLUSH_TIMEOUT_S)
    for error, offset in arrived:
        if error is None:
            return position._replace(offset=offset)
    why = arrived[0][0] if arrived else f"no answer from {kafka.brokers}"
    raise SourceUnavailable(f"Kafka did not take the message for {position.topic}: {why}")
