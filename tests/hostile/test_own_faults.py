"""Where our own code fails, the runs that it fails end with the reason, and so does their scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from backtests.strategies import CATALOGUE
from mela.grid import plan_runs
from mela.messages import CHUNK_RESULTS, RUNS, MessagePosition, RunChunk
from mela.result_columns import ResultColumns
from mela.scene import parse_scene
from mela.settings import Settings
from messaging.columns import from_arrow
from messaging.consumer import tail
from streaming.run import ChunkMessage, Desk, run_chunks
from tests.hostile.given import ONE
from tests.streaming.answered import documents_of
from tests.warehouse.given import answer, load

pytestmark = pytest.mark.integration
SPACE = {"strategy.params.fast": [1, 2, 3]}


@pytest.fixture
def settings(warehouse: Settings, streams: Settings) -> Settings:
    load(warehouse, answer(100.0 + np.sin(np.arange(60.0))))
    return warehouse.model_copy(update={"kafka": streams.kafka})


def chunk_of(**change: Any) -> RunChunk:
    search = {"kind": "grid", "space": SPACE}
    scene = parse_scene({**ONE, "scene_id": str(uuid4()), "search": search, **change})
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=10).expand())
    digests = {run.strategy: CATALOGUE[run.strategy].digest for run in runs}
    return RunChunk(str(scene.scene_id), 0, runs, digests)


def test_a_chunk_that_our_own_code_cannot_execute_ends_its_runs_with_the_reason(
    settings: Settings, streams: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scene of which a run is never answered would never end."""
    settings = settings.model_copy(update={"kafka": streams.kafka})
    chunk = chunk_of()
    answered = Desk.answers

    def broken(self: Desk, chunk: RunChunk, *, apart: bool = False) -> Iterator[ResultColumns]:
        yield next(answered(self, chunk, apart=apart)).part(0, 1)
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Desk, "answers", broken)
    heard = tail(settings, CHUNK_RESULTS)

    run_chunks([ChunkMessage(chunk.to_bytes(), MessagePosition(RUNS, 0, 0))], settings)

    found: list[dict[str, Any]] = []
    while len(found) < 3:
        message = heard.poll(20)
        assert message is not None, f"only {len(found)} runs were answered"
        found += documents_of([from_arrow(message.value())])
    heard.close()
    assert sorted(one["run_key"] for one in found) == sorted(run.run_key for run in chunk.runs)
    assert [one["status"] for one in found] == ["succeeded", "failed", "failed"]
    assert found[2]["error"] == {
        **dict.fromkeys(("file", "line")),
        "class": "ZeroDivisionError",
        "sentence": "ours",
    }
