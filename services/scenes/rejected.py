"""Read dead letters: messages that were refused, with the reason."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from mela.errors import MessageInvalid, NotFound, RejectionCode, SourceUnavailable
from mela.messages import REJECTED, MessagePosition, Rejection
from mela.settings import Settings
from messaging.codec import decode_rejected
from messaging.consumer import backwards, poll, tail

WAIT_S = 60.0
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of dead letters; None matches all. topic: with or without `mela.` in front."""

    code: RejectionCode | None = None
    topic: str | None = None
    since: datetime | None = None

    def has(self, letter: Rejection) -> bool:
        """Tell whether a letter is one of these."""
        return (
            self.code in (None, letter.code)
            and (self.topic is None or full_name(self.topic) == letter.topic)
            and (self.since is None or letter.rejected_at >= self.since)
        )


ALL = Wanted()


def latest_rejections(
    settings: Settings, *, most: int = SHOWN, wanted: Wanted = ALL
) -> list[Rejection]:
    """Return the newest dead letters, the newest first. Raises SourceUnavailable."""
    letters = (one for one in _letters(settings, wanted.since) if wanted.has(one))
    return list(islice(letters, most))


def rejection_of(name: str, settings: Settings) -> Rejection:
    """Return the letter about a message. Raises NotFound and SourceUnavailable.

    name: `topic:partition:offset`, as `mela.scenes:0:41`, or without the `mela.` in front
    """
    position = position_of(name)
    for letter in _letters(settings):
        if letter.key == position.key:
            return letter
    raise NotFound(
        f"no rejected message is called {name}: `mela rejected` lists those there are, and "
        f"Kafka drops them after {settings.kafka.retention_hours} h."
    )


def position_of(name: str) -> MessagePosition:
    """Return the place that an id names. Raises NotFound for what is no id.

    >>> position_of("scenes:0:41")
    MessagePosition(topic='mela.scenes', partition=0, offset=41)
    """
    topic, _, place = name.partition(":")
    partition, _, offset = place.partition(":")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise NotFound(
            f"expected the id of a rejected message, as mela.scenes:0:41, but found {name!r}; "
            "`mela rejected` lists them."
        )
    return MessagePosition(full_name(topic), int(partition), int(offset))


def full_name(topic: str) -> str:
    """Return the name of a topic whose `mela.` was perhaps left out."""
    return topic if topic.startswith("mela.") else f"mela.{topic}"


def _letters(settings: Settings, since: datetime | None = None) -> Iterator[Rejection]:
    """Yield the letters, the newest first. What is none is left out: anybody can write there."""
    for message in backwards(settings, REJECTED, since):
        try:
            yield decode_rejected(message.value())
        except MessageInvalid:
            continue


class Letters(AbstractContextManager["Letters"]):
    """Reads `mela.rejected` from its end at the moment of construction.

    Create it before publishing, so that no letter is missed.
    """

    def __init__(self, settings: Settings) -> None:
        self._consumer = tail(settings, REJECTED)
        self._read: list[Rejection] = []

    def __exit__(self, *raised: object) -> None:
        self._consumer.close()

    def about(self, original: bytes, wait_s: float = WAIT_S) -> Rejection:
        """Wait for the dead letter of a message with these bytes. Raises SourceUnavailable."""
        give_up_at = time.monotonic() + wait_s
        wanted = base64.b64encode(original).decode()
        while time.monotonic() < give_up_at:
            for letter in self._read:
                if letter.original == wanted:
                    return letter
            value = poll(self._consumer)
            if value is None:
                continue
            try:
                self._read.append(decode_rejected(value))
            except MessageInvalid:
                continue
        raise SourceUnavailable(f"no rejection of this message came within {wait_s:.0f} s")
