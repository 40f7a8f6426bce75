"""Hear from other processes over Postgres: a scene that changed, a stream that watches others."""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg2
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import SourceUnavailable
from mela.settings import Settings
from warehouse.database import engine_for

_TELL = text("SELECT pg_notify(:channel, :words)")


class Heard(NamedTuple):
    """A message of a channel."""

    channel: str
    words: str


def tell(connection: Connection, channel: str, words: str) -> None:
    """Tell those who listen, once this transaction commits. At most 7,999 bytes of words."""
    connection.execute(_TELL, {"channel": channel, "words": words})


@contextmanager
def listening(settings: Settings, channels: Sequence[str]) -> Generator[Listener]:
    """Yield a listener of channels, over a connection of its own. Raises SourceUnavailable."""
    try:
        raw = engine_for(settings).raw_connection()
    except (psycopg2.Error, SQLAlchemyError) as error:  # the driver's own, where it is the pool's
        raise SourceUnavailable(f"the warehouse does not answer: {error}") from error
    try:
        driver: Any = raw.driver_connection
        driver.autocommit = True
        with driver.cursor() as cursor:
            for channel in channels:
                cursor.execute(f'LISTEN "{channel}"')
        yield Listener(driver)
    except psycopg2.Error as error:
        raise SourceUnavailable(f"the warehouse tells nothing any more: {error}") from error
    finally:
        raw.invalidate()  # whoever got it next would hear what was meant for us


class Listener:
    """Hears what is told on the channels of a connection."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def wait(self, seconds: float) -> Iterator[Heard]:
        """Yield what was told, as soon as something is, or nothing after so many seconds."""
        if not select.select([self._driver], [], [], seconds)[0]:
            return
        self._driver.poll()
        while self._driver.notifies:
            one = self._driver.notifies.pop(0)
            yield Heard(one.channel, one.payload)
