"""Read dead letters: messages that were refused, with the reason."""

from __future__ import annotations

import base64
import time
from contextlib import AbstractContextManager

from mela.errors import SourceUnavailable
from mela.messages import REJECTED, Rejection
from mela.settings import Settings
from messaging.codec import decode_rejected
from messaging.consumer import newest, poll, tail

WAIT_S = 60.0
SHOWN = 100


def latest_rejections(settings: Settings, *, most: int = SHOWN) -> list[Rejection]:
    """Return the newest dead letters, the newest first. Raises SourceUnavailable."""
    return [decode_rejected(value) for value in reversed(newest(settings, REJECTED, most))]


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
            if value is not None:
                self._read.append(decode_rejected(value))
        raise SourceUnavailable(f"no rejection of this message came within {wait_s:.0f} s")
