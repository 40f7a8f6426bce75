"""The topics of the job path and of trading: their names, partitions and retention."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # pyright: ignore[reportUnknownVariableType]

from mela.errors import StackFailed
from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.settings import KafkaSettings
from mela.trading_messages import TRADING
from messaging.connection import client

MAX_BROKER_BYTES = 8 * 1024 * 1024  # a scene that is too large must still reach us to be refused
TIMEOUT_S = 30.0
ALREADY_EXISTS = 36  # Kafka's TOPIC_ALREADY_EXISTS


def topics(kafka: KafkaSettings) -> list[NewTopic]:
    """Return the definition of every topic.

    No topic is compacted, because every message counts and their order carries meaning.
    """
    retention = {"retention.ms": str(kafka.retention_hours * 3_600_000), "cleanup.policy": "delete"}
    many, one = kafka.partitions, 1
    sizes = {
        SCENES: (one, MAX_BROKER_BYTES // 2),
        RUNS: (many, MAX_BROKER_BYTES),
        RESULTS: (many, MAX_BROKER_BYTES),
        CHUNK_RESULTS: (many, MAX_BROKER_BYTES),
        PROGRESS: (one, MAX_BROKER_BYTES),
        REJECTED: (one, MAX_BROKER_BYTES),  # the largest scene fits in base64
        **dict.fromkeys(TRADING, (many, MAX_BROKER_BYTES)),  # a session stays in one partition
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


def create_topics(kafka: KafkaSettings, admin: AdminClient | None = None) -> None:
    """Create the topics that are missing and leave existing ones unchanged. Raises StackFailed.

    admin: a client whose user may create them; by default one of the settings' own user
    """
    if admin is None:  # a client is false while nothing is queued
        admin = AdminClient({**client(kafka)})
    for name, future in admin.create_topics(topics(kafka), operation_timeout=TIMEOUT_S).items():
        try:
            future.result(timeout=TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != ALREADY_EXISTS:
                raise StackFailed(
                    f"Kafka at {kafka.brokers} did not create the topic {name}: {error}. "
                    "Read its log with `mela logs kafka`."
                ) from error
