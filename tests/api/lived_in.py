"""A team on a warehouse as use leaves it: real candles, scenes, results and curves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from mela.settings import Settings
from services.accounts import accounts
from services.scenes import scene_facts
from tests.api.conftest import CALLERS, EMPTY_APP, Browser, browser, hashed
from tests.conftest import EMPTY
from tests.warehouse.lived import Life, live
from warehouse.database import transaction
from warehouse.scenes import cards

_OWNED = text("UPDATE ops.scene SET user_id = (SELECT id FROM ops.user WHERE name = 'trader')")


@dataclass(frozen=True)
class Team:
    """The callers, and the scenes of `trader`. The scene `stocks` is private."""

    settings: Settings
    life: Life
    viewer: Browser
    trader: Browser
    other: Browser
    admin: Browser
    nobody: Browser

    def scene(self, called: str) -> str:
        return str(self.life.scenes[called].scene_id)

    def runs(self, called: str, **asked: Any) -> list[dict[str, Any]]:
        answer = self.trader.get(f"/scenes/{self.scene(called)}/runs", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


@pytest.fixture(scope="module")
def team(scratch: Settings) -> Iterator[Team]:
    """All kinds of callers on that warehouse, once for the tests of a module."""
    with transaction(scratch) as connection:
        connection.execute(EMPTY)
        connection.execute(EMPTY_APP)
    scene_facts.forget()
    life = live(scratch)
    with ExitStack() as stack:
        found: dict[str, Browser] = {}
        for name, role in CALLERS.items():
            with transaction(scratch) as connection:
                accounts.stored_new(connection, name, role, hashed())
            found[name] = stack.enter_context(browser(scratch))
            found[name].enter(scratch, name)
        with transaction(scratch) as connection:
            connection.execute(_OWNED)
            private = UUID(str(life.scenes["stocks"].scene_id))
            cards.save(connection, private, is_private=True, tags=["secret"])
        nobody = stack.enter_context(browser(scratch))
        yield Team(scratch, life, nobody=nobody, **found)
