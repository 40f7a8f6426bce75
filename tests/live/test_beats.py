"""A process that trades says that it lives, though its disk was full for a while."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from live import process
from mela.settings import Settings
from services.trading.process_state import read_state, state_file
from tests.live.played import on, running, until


@pytest.mark.integration
def test_the_beats_go_on_once_the_disk_takes_them(
    warehouse: Settings, replay: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(process, "BEAT_S", 0.05)
    settings = on(warehouse, replay()).model_copy(update={"home": tmp_path})
    in_the_way = state_file(tmp_path).with_suffix(".part")
    in_the_way.mkdir(parents=True)  # nothing can be written there: an OSError, as of a full disk

    async def live() -> None:
        async with running(settings):
            with capture_logs() as said:
                await until(lambda: any(one["event"] == "not_said" for one in said))
            assert read_state(tmp_path) is None
            in_the_way.rmdir()
            await until(lambda: read_state(tmp_path) is not None)

    asyncio.run(asyncio.wait_for(live(), 60))
    state = read_state(tmp_path)
    assert state is not None
    assert time.time() - state.at.timestamp() < 60
