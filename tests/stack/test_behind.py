"""A proxy may hold the ports that clients know: the services listen behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import stack
from mela.errors import SourceUnavailable
from mela.messages import PROGRESS, SCENES
from mela.settings import Settings
from messaging.consumer import poll, tail
from messaging.publisher import Publisher
from tests.conftest import temporary_home
from tests.storm.lines import lines
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
PART = ("kafka", "postgres")


@pytest.fixture(scope="module")
def home() -> Iterator[Settings]:
    with temporary_home() as folder:
        yield Settings(home=folder)


def test_all_clients_come_through_the_proxy_and_stand_a_cut(home: Settings) -> None:
    with lines(home.home) as proxies:
        settings = stack.up(home, only=PART)
        said = tail(settings, SCENES, PROGRESS)
        for word in (b"before", b"after"):
            forwarded = {name: proxies[name].counts["bytes"] for name in PART}
            with Publisher(settings.kafka) as publisher:
                publisher.send(SCENES, "key", word)
            assert heard(said) == word
            assert asked(settings) == 1
            for name in PART:
                assert proxies[name].counts["bytes"] > forwarded[name]
                assert proxies[name].cut() > 0
        said.close()

        again = stack.up(home, only=PART)  # the proxies hold the ports, and none is moved
        assert (again.kafka, again.postgres) == (settings.kafka, settings.postgres)
    with pytest.raises(OperationalError):
        asked(settings)
    with pytest.raises(SourceUnavailable):
        tail(settings, SCENES)


def heard(consumer: Consumer) -> bytes:
    for _ in range(120):
        if (found := poll(consumer)) is not None:
            return found
    raise AssertionError("nothing came")


def asked(settings: Settings) -> int:
    with transaction(settings) as connection:
        return int(connection.scalar(text("SELECT 1")) or 0)
