"""What several tests of live trading begin with."""

from __future__ import annotations

from typing import Any

import pytest

from mela.settings import Settings
from tests.live.at_broker import OPEN_MARKET
from tests.live.played import on, order


@pytest.fixture
def market(warehouse: Settings, replay: Any) -> tuple[Any, Settings]:
    """A replay whose stock market is open, and the settings of a warehouse that listens to it."""
    server = replay()
    order(server, "play", **{"from": OPEN_MARKET, "speed": 1})
    return server, on(warehouse, server)
