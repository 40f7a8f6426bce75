"""Which keys a broker is opened with: paper's by default, and live ones only for live money."""

from __future__ import annotations

from typing import Any

import pytest

from live.brokers import open_broker
from mela.settings import Settings


def test_live_money_wants_live_keys_and_no_keys_are_an_error() -> None:
    clock: Any = None
    paper = Settings(alpaca={"key": "PK123", "secret": "s"})
    with pytest.raises(ValueError, match="expected keys of a live account"):
        open_broker(paper, clock, "live")
    with pytest.raises(ValueError, match="MELA_ALPACA__KEY"):
        open_broker(Settings(), clock)
