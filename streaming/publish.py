"""Sending to Kafka so that what was sent is known to have arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

import mela
from mela.errors import Refused, SourceUnavailable
from mela.messages import (
    PROGRESS,
    REJECTED,
    RESULTS,
    RUNS,
    SCENES,
    Progress,
    RunChunk,
    Source,
    rejection,
)
from mela.scene import Scene
from mela.settings import KafkaSettings
from streaming.topics import MAX_BROKER_BYTES

LINGER_MS = 100
FLUSH_TIMEOUT_S = 60.0


class Publisher:
    """An idempotent producer that remembers delivery errors until `flush`, which raises them.

    At-least-once: whoever sends must flush before it counts its input as done.
    """

    def __init__(self, kafka: KafkaSettings, *, linger_ms: int = LINGER_MS) -> None:
        self._errors: list[KafkaError] = []
        self._partitions = kafka.partitions
        self._brokers = kafka.brokers
        self._config: dict[str, Any] = {
            "bootstrap.servers": kafka.brokers,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "delivery.report.only.error": True,
            "message.max.bytes": MAX_BROKER_BYTES,
            "delivery.timeout.ms": int(FLUSH_TIMEOUT_S * 1000),
            "queue.buffering.max.messages": 200_000,
            "log_level": 2,  # it would tell of each attempt to connect; `flush` says what failed
        }
        self._producer = Producer(self._config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()

    def scene(self, scene: Scene) -> None:
        """Send a scene, which must have its id, to `mela.scenes`."""
        body = scene.model_dump_json(by_alias=True, exclude_none=True)
        self.send(SCENES, str(scene.scene_id), body.encode())

    def chunk(self, chunk: RunChunk) -> None:
        """Send runs to `mela.runs`; a scene's chunks go round the partitions, to share the load."""
        partition = (hash_of(chunk.scene_id) + chunk.chunk) % self._partitions
        self.send(RUNS, chunk.key, chunk.to_bytes(), partition=partition)

    def result(self, scene_id: str, run_key: str, body: bytes) -> None:
        """Send a result document to `mela.results`."""
        self.send(RESULTS, f"{scene_id}:{run_key}", body)

    def progress(self, progress: Progress) -> None:
        """Send how far a scene is to `mela.progress`."""
        self.send(PROGRESS, str(progress.scene_id), progress.to_bytes())

    def rejected(self, original: bytes | None, source: Source, refused: Refused) -> None:
        """Send a message that was refused to `mela.rejected`, whole, with the reason."""
        letter = rejection(
            original, source, refused, code_version=mela.__version__, at=datetime.now(UTC)
        )
        self.send(REJECTED, letter.key, letter.to_bytes())

    def send(self, topic: str, key: str, value: bytes, *, partition: int | None = None) -> None:
        """Queue one message; waits while the queue is full."""
        extra: dict[str, Any] = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered, **extra)
            except BufferError:
                self._producer.poll(1.0)
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        """Wait until all that was queued has arrived. Raises SourceUnavailable where it has not."""
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        errors, self._errors = self._errors, []
        if errors or left:  # an idempotent producer that failed once may refuse for good
            self._producer = Producer(self._config)
        if errors:
            raise SourceUnavailable(
                f"Kafka did not take {len(errors)} messages"
            ) from KafkaException(errors[0])
        if left:
            raise SourceUnavailable(
                f"Kafka at {self._brokers} did not take {left} messages within "
                f"{FLUSH_TIMEOUT_S:g} s"
            )

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._errors.append(error)


def hash_of(scene_id: str) -> int:
    """Return a number, the same in every process, that spreads small scenes over partitions."""
    return int(scene_id.replace("-", "")[-8:], 16)
