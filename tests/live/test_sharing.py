"""Sessions of one account count on no more cash together than it has."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from live.journal import Journal
from mela.settings import Settings
from tests.live.at_broker import COIN, ETHER, QUIET
from tests.live.played import FROM, on, order, running, start, until
from tests.live.test_restart import ALPACA

pytestmark = pytest.mark.integration


def asked(name: str, cash: float, *instruments: str) -> dict[str, Any]:
    return {
        **ALPACA, "name": name, "instruments": list(instruments), "cash": cash, "strategy": QUIET,
    }  # fmt: skip


def test_of_sessions_that_count_on_one_cash_the_later_one_does_not_start(
    warehouse: Settings, replay: Any
) -> None:
    """The account has 100,000, which is less than 60,000 and 50,000."""
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 60})
    settings = on(warehouse, server)
    first = start(settings, asked("first", 60_000.0, COIN))
    second = start(settings, asked("second", 50_000.0, ETHER))

    def state(session_id: UUID) -> tuple[str, str]:
        found = Journal(settings).session(session_id)
        return found.state, found.why or ""

    async def trade() -> None:
        async with running(settings):
            await until(lambda: state(second)[0] in ("stopped", "failed"), 60.0)
            await until(lambda: state(first)[0] == "running", 60.0)

    asyncio.run(trade())
    assert state(first)[0] == "running"
    assert "beside 60,000.00 that sessions started earlier count on" in state(second)[1]
