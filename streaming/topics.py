"""The topics, with their partitions and retention."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # pyright: ignore[reportUnknownVariableType]

from mela.errors import StackFailed
from mela.messages import PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.settings import KafkaSettings

MAX_BROKER_BYTES = 8 * 1024 * 1024  # a scene that is too large must still reach us to be refused
TIMEOUT_S = 30.0
ALREADY_THERE = 36  # Kafka's TOPIC_ALREADY_EXISTS


def topics(kafka: KafkaSettings) -> list[NewTopic]:
    """Return every topic of the job path. None is compacted: each message counts, in its order."""
    retention = {"retention.ms": str(kafka.retention_hours * 3_600_000), "cleanup.policy": "delete"}
    many, one = kafka.partitions, 1
    sizes = {
        SCENES: (one, MAX_BROKER_BYTES // 2),
        RUNS: (many, MAX_BROKER_BYTES),
        RESULTS: (many, MAX_BROKER_BYTES),
        PROGRESS: (one, MAX_BROKER_BYTES),
        REJECTED: (one, MAX_BROKER_BYTES),  # base64 of the largest scene fits
    }
    return [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=kafka.replication,
            config={**retention, "max.message.bytes": str(max_bytes)},
        )
        for name, (partitions, max_bytes) in sizes.items()
    ]


def create_topics(kafka: KafkaSettings) -> None:
    """Create the topics that are missing; those that exist stay as they are. Raises StackFailed."""
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    for name, future in admin.create_topics(topics(kafka), operation_timeout=TIMEOUT_S).items():
        try:
            future.result(timeout=TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != ALREADY_THERE:
                raise StackFailed(
                    f"Kafka at {kafka.brokers} did not create the topic {name}: {error}. "
                    "`mela logs kafka` tells more."
                ) from error
