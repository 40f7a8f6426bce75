"""Reading dead letters from `mela.rejected`."""

from __future__ import annotations

import base64
import time
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer

from mela.errors import SourceUnavailable
from mela.messages import REJECTED, Rejection
from mela.settings import Settings
from messaging.consumer import poll, tail

WAIT_S = 60.0


class Letters:
    """Reads `mela.rejected` from where it ended when this was made: make it before publishing."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: Consumer = tail(settings, REJECTED)
        self._read: list[Rejection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def about(self, original: bytes, wait_s: float = WAIT_S) -> Rejection:
        """Return the dead letter of a message with these bytes. Raises SourceUnavailable."""
        give_up_at = time.monotonic() + wait_s
        wanted = base64.b64encode(original).decode()
        while time.monotonic() < give_up_at:
            for letter in self._read:
                if letter.original == wanted:
                    return letter
            value = poll(self._consumer)
            if value is not None:
                self._read.append(Rejection.model_validate_json(value))
        raise SourceUnavailable(f"no rejection of this message came within {wait_s:.0f} s")
