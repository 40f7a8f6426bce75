"""Reading topics without a consumer group: from now on, or the newest messages that are there."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mela.errors import SourceUnavailable
from mela.messages import MessagePosition
from mela.settings import Settings
from messaging import connection

POLL_S = 0.25
ASK_S = 5.0
WITHOUT_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


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


BLOCK = 500  # messages that are read at once on the way back


def backwards(settings: Settings, topic: str, since: datetime | None = None) -> Iterator[Message]:
    """Yield the messages that a topic holds now, partition by partition, the newest first.

    since: leave out what Kafka had before. Raises SourceUnavailable if no broker answers.
    """
    consumer, partitions, watermarks = _opened(settings, (topic,))
    with _closing(consumer):
        starts = partitions
        if since is not None:
            asked = [TopicPartition(topic, one.partition, _ms(since)) for one in partitions]
            starts = consumer.offsets_for_times(asked, timeout=ASK_S)
        for start, (begin, end) in zip(starts, watermarks, strict=True):
            first = begin if since is None else start.offset
            if 0 <= first < end:  # below 0: nothing came since
                yield from _back(consumer, topic, start.partition, max(first, begin), end)


def _back(
    consumer: Consumer, topic: str, partition: int, begin: int, end: int
) -> Iterator[Message]:
    for last in range(end, begin, -BLOCK):
        first = max(begin, last - BLOCK)
        yield from reversed(list(_between(consumer, topic, partition, first, last)))


def message_at(settings: Settings, position: MessagePosition) -> Message | None:
    """Return the message at a position, or None if Kafka has it no longer."""
    topic, partition, offset = position
    consumer, partitions, watermarks = _opened(settings, (topic,))
    with _closing(consumer):
        spans = {one.partition: span for one, span in zip(partitions, watermarks, strict=True)}
        begin, end = spans.get(partition, (0, 0))
        if not begin <= offset < end:
            return None
        return next(_between(consumer, topic, partition, offset, offset + 1), None)


def _between(
    consumer: Consumer, topic: str, partition: int, begin: int, end: int
) -> Iterator[Message]:
    """Yield the messages of [begin, end) of a partition."""
    consumer.assign([TopicPartition(topic, partition, begin)])
    while True:
        message = consumer.poll(ASK_S)
        if message is None:
            raise SourceUnavailable(
                f"Kafka still holds messages of {topic} before offset {end}, but gave none for "
                f"{ASK_S:g} s; ask again"
            )
        if message.error() is not None:
            raise SourceUnavailable(f"Kafka could not read {topic}: {message.error()}")
        offset = message.offset() or 0
        if offset < end:
            yield message
        if offset >= end - 1:
            return


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


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
        marks = [_span(consumer, one) for one in partitions]
    except (KafkaException, KeyError) as error:
        consumer.close()
        raise SourceUnavailable(_why(settings, error, faults, reads=reads)) from error
    return consumer, partitions, marks


def _span(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Return the first offset of a partition and the next one.

    A broker that has just started has no leader of its partitions for a moment: it is asked again.
    """
    give_up_at = time.monotonic() + ASK_S
    while True:
        try:
            return consumer.get_watermark_offsets(partition, ASK_S)
        except KafkaException as error:
            if error.args[0].code() not in WITHOUT_LEADER or time.monotonic() > give_up_at:
                raise
        time.sleep(0.1)


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
