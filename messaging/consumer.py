"""Reading topics without a consumer group: from now on, or the newest messages that are there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from mela.counts import counted
from mela.errors import SourceUnavailable
from mela.settings import Settings
from messaging import connection

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
    """Raise SourceUnavailable unless a broker answers, has the topics and lets the user write."""
    consumer, _, _ = _opened(settings, topics, reads=False)
    consumer.close()


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
    settings: Settings, topics: tuple[str, ...], *, reads: bool = True
) -> tuple[Consumer, list[TopicPartition], list[tuple[int, int]]]:
    faults: list[KafkaError] = []  # a refused password is told here, and the question times out
    consumer = Consumer(
        {
            **connection.client(settings.kafka, reads=reads),
            "error_cb": faults.append,
            # never joined: partitions are assigned by hand
            "group.id": f"{connection.READER_GROUPS}-tail",
            "enable.auto.commit": False,
            "log_level": 0,  # the error below says once that no broker answers
        }
    )
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in _partitions(consumer, topic)
        ]
        marks = [consumer.get_watermark_offsets(one, ASK_S) for one in partitions]
    except (KafkaException, KeyError) as error:
        consumer.close()
        raise SourceUnavailable(_why(settings, error, faults, reads=reads)) from error
    return consumer, partitions, marks


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=ASK_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return list(found.partitions)


def _why(
    settings: Settings, error: KafkaException | KeyError, faults: list[KafkaError], *, reads: bool
) -> str:
    """Return what a failed first question says: nobody answers, or this user may not ask."""
    kafka = settings.kafka
    if isinstance(error, KafkaException):
        faults = [*faults, error.args[0]]
    refused = next((one for one in faults if one.code() in connection.REFUSED), None)
    if refused is None:
        return f"no Kafka answers at {kafka.brokers}. Start the stack with `mela up`."
    is_reader = reads and kafka.reader
    user, name = (kafka.reader, "READER") if is_reader else (kafka.user or "nobody", "USER")
    password = "READER_PASSWORD" if is_reader else "PASSWORD"
    return (
        f"Kafka at {kafka.brokers} refuses {user}: {refused.str()}. Check MELA_KAFKA__{name} and "
        f"MELA_KAFKA__{password}; docs/security.md says which user may do what."
    )


@contextmanager
def _closing(consumer: Consumer) -> Generator[None]:
    try:
        yield
    finally:
        consumer.close()
