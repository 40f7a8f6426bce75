"""services/change_stream.py: what is heard, also after a warehouse that was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from mela.settings import Settings
from services.change_stream import Changes
from tests.web.line import Line
from warehouse.database import engine_for, transaction
from warehouse.scenes import cards, listening

pytestmark = pytest.mark.integration
PATIENCE_S = 15.0


class Ears:
    """Remembers what was heard."""

    def __init__(self) -> None:
        self.heard: list[UUID | None] = []

    def wait_for(self, scene_id: UUID | None, *, times: int = 1) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while self.heard.count(scene_id) < times:
            assert time.monotonic() < give_up_at, f"heard no {scene_id}, but {self.heard}"
            time.sleep(0.05)


@pytest.fixture
def line(warehouse: Settings) -> Iterator[Line]:
    where = warehouse.postgres
    with Line(where.host, where.port) as found:
        yield found


@pytest.fixture
def over(warehouse: Settings, line: Line) -> Iterator[Settings]:
    """Return settings by which Postgres is reached over a line that can be cut."""
    where = warehouse.postgres.model_copy(update={"host": "127.0.0.1", "port": line.port})
    settings = warehouse.model_copy(update={"postgres": where})
    yield settings
    engine_for(settings).dispose()


def listening_thread(before: set[threading.Thread]) -> threading.Thread:
    [found] = [
        one for one in threading.enumerate() if one.name == "mela-notices" and one not in before
    ]
    return found


def tell(settings: Settings, channel: str, words: str) -> None:
    with transaction(settings) as connection:
        listening.tell(connection, channel, words)


def tell_until_heard(settings: Settings, ears: Ears, scene_id: UUID) -> None:
    """Tell a change again and again: one that is told between two connections is not heard."""
    give_up_at = time.monotonic() + PATIENCE_S
    while scene_id not in ears.heard:
        assert time.monotonic() < give_up_at, f"heard no {scene_id}, but {ears.heard}"
        tell(settings, cards.CHANGED, str(scene_id))
        time.sleep(0.2)


def test_what_changes_is_heard_again_after_postgres_was_away(
    warehouse: Settings, over: Settings, line: Line
) -> None:
    """It refuses connections for longer than the pause between two tries."""
    before = set(threading.enumerate())
    ears, first, second = Ears(), uuid4(), uuid4()
    changes = Changes(over, ears.heard.append, lambda _: None, lambda _: None)
    try:
        ears.wait_for(None)
        tell(warehouse, cards.CHANGED, str(first))
        ears.wait_for(first)
        thread = listening_thread(before)
        missed = ears.heard.count(None)

        line.cut()
        time.sleep(2.5)
        assert thread.is_alive()
        line.mend()

        ears.wait_for(None, times=missed + 1)  # whoever listens looks at everything anew
        tell_until_heard(warehouse, ears, second)
    finally:
        changes.close()


def test_a_notice_that_nobody_understands_ends_no_listening(warehouse: Settings) -> None:
    ears, scene_id = Ears(), uuid4()
    changes = Changes(warehouse, ears.heard.append, lambda _: None, lambda _: None)
    try:
        ears.wait_for(None)
        tell(warehouse, cards.CHANGED, "no id")
        tell_until_heard(warehouse, ears, scene_id)
    finally:
        changes.close()
