"""Reading topics without a consumer group: from now on, or the newest messages that are there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition

from mela.counts import counted
from mela.errors import SourceUnavailable
from mela.settings import Settings

POLL_S = 0.25
ASK_S = 5.0


def tail(settings: Settings, *topics: str) -> Consumer:
    """Return a consumer of the messages that arrive on some topics from now on.

    The caller closes it. Raises SourceUnavailable if no broker answers.
    """
    consumer, partitions, watermarks = _opened(settings, topics)
    for partition, (_, end) in zip(partitions, watermarks, strict=True):
        partition.offset = end
    consumer.assign(partitions)
    return consumer


def check_broker(settings: Settings, *topics: str) -> None:
    """Raise SourceUnavailable unless a broker answers and has the topics."""
    tail(settings, *topics).close()


def poll(consumer: Consumer, wait_s: float = POLL_S) -> bytes | None:
    """Return the value of the next message, or None if none came within `wait_s`."""
    message = consumer.poll(wait_s)
    return message.value() if message is not None and message.error() is None else None


def newest(settings: Settings, topic: str, most: int) -> list[bytes]:
    """Return the values of the newest messages of a topic, the oldest of them first.

    At most `most` are read from each partition. Raises SourceUnavailable if no broker answers, or
    if it stops answering.
    """
    consumer, partitions, watermarks = _opened(settings, (topic,))
    with _closing(consumer):
        left = 0
        for partition, (begin, end) in zip(partitions, watermarks, strict=True):
            partition.offset = max(begin, end - most)
            left += end - partition.offset
        consumer.assign(partitions)
        found: list[tuple[int, bytes]] = []
        while left > 0:
            messages = consumer.consume(min(left, 500), timeout=ASK_S)
            if not messages:
                raise SourceUnavailable(
                    f"Kafka at {settings.kafka.brokers} still holds {counted(left, 'message')} "
                    f"of {topic}, "
                    f"but gave none for {ASK_S:g} s; ask again"
                )
            for message in messages:
                if message.error() is not None:
                    raise SourceUnavailable(f"Kafka could not read {topic}: {message.error()}")
                left -= 1
                found.append((message.timestamp()[1], message.value() or b""))
    return [value for _, value in sorted(found, key=lambda one: one[0])][-most:]


def _opened(
    settings: Settings, topics: tuple[str, ...]
) -> tuple[Consumer, list[TopicPartition], list[tuple[int, int]]]:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.brokers,
            "group.id": "mela-tail",  # never joined: partitions are assigned by hand
            "enable.auto.commit": False,
            "log_level": 0,  # the error below says once that no broker answers
        }
    )
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in consumer.list_topics(topic, timeout=ASK_S).topics[topic].partitions
        ]
        marks = [consumer.get_watermark_offsets(one, ASK_S) for one in partitions]
    except (KafkaException, KeyError) as error:
        consumer.close()
        raise SourceUnavailable(
            f"no Kafka answers at {settings.kafka.brokers}. Start the stack with `mela up`."
        ) from error
    return consumer, partitions, marks


@contextmanager
def _closing(consumer: Consumer) -> Generator[None]:
    try:
        yield
    finally:
        consumer.close()
