"""Read the end of topics: the offset behind the newest message of each partition."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from mela.errors import SourceUnavailable
from mela.settings import Settings
from messaging.connection import client

ASK_S = 5.0


class EndOffsets:
    """Asks a broker for the ends of topics, again and again over one connection."""

    def __init__(self, settings: Settings) -> None:
        self._brokers = settings.kafka.brokers
        self._admin = AdminClient({**client(settings.kafka, reads=True), "log_level": 0})
        self._partitions: dict[str, list[int]] = {}

    def of(self, topics: Collection[str]) -> dict[str, dict[int, int]]:
        """Return topic → partition → offset. Raises SourceUnavailable if no broker answers."""
        try:
            for topic in set(topics) - set(self._partitions):
                found = self._admin.list_topics(topic, timeout=ASK_S).topics[topic]
                if found.partitions:
                    self._partitions[topic] = sorted(found.partitions)
            newest: Any = OffsetSpec.latest()
            asked = {
                TopicPartition(topic, number): newest
                for topic in topics
                for number in self._partitions.get(topic, ())
            }
            ends: dict[str, dict[int, int]] = {topic: {} for topic in topics}
            for at, future in self._admin.list_offsets(asked, request_timeout=ASK_S).items():
                ends[at.topic][at.partition] = future.result(timeout=ASK_S).offset
        except (KafkaException, KeyError, TimeoutError, ValueError) as error:
            raise SourceUnavailable(
                f"Kafka at {self._brokers} does not say how far its topics reach: {error}"
            ) from error
        return ends
