"""Runs that kill, hang or eat memory end by themselves, and the others of their chunk answer."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.grid import plan_runs
from mela.messages import SCENES, MessagePosition, RunChunk, read_chunk
from mela.scene import parse_scene
from mela.settings import Settings
from streaming.run import Desk
from tests.streaming.answered import documents_of
from tests.warehouse.given import NAME, START, action, answer, load
from warehouse.database import transaction
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
SCENE = {
    "instruments": [NAME],
    "interval": "1h",
    "start": START.isoformat(),
    "end": (START + timedelta(hours=40)).isoformat(),
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}},
    "search": {"kind": "grid", "space": {"strategy.params.fast": [1, 2, 3]}},
}


def doing(deed: Any) -> Mapping[str, Strategy]:
    """Return a catalogue whose sma_cross does something else where its fast mean is 2."""
    honest = CATALOGUE["sma_cross"]

    def signals(candles: Any, params: Any, indicators: Any) -> Any:
        if params.fast == 2:
            deed()
        return honest.signals(candles, params, indicators)

    return {"sma_cross": replace(honest, signals=signals)}


def hang() -> None:
    while True:
        pass


@pytest.fixture
def settings(warehouse: Settings) -> Settings:
    load(warehouse, answer(100.0 + np.sin(np.arange(60.0))))
    return limited(warehouse, 3.0)


def limited(settings: Settings, seconds: float) -> Settings:
    spark = settings.spark.model_copy(update={"run_limit_s": seconds, "run_memory_mb": 256})
    return settings.model_copy(update={"spark": spark})


def patient(settings: Settings) -> Settings:
    """Settings for a first run, which may compile the kernels."""
    return limited(settings, 250.0)


def chunk_of(**change: Any) -> RunChunk:
    scene = parse_scene({**SCENE, "scene_id": str(uuid4()), **change})
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=10).expand())
    sent = RunChunk(str(scene.scene_id), 0, runs, {"sma_cross": "0" * 64})
    return read_chunk(sent.to_bytes(), CATALOGUE)


def documents(
    settings: Settings, catalogue: Mapping[str, Strategy], chunk: RunChunk, *, apart: bool
) -> dict[int, dict[str, Any]]:
    """Return a chunk's results by their fast mean."""
    found = documents_of(Desk(settings, catalogue).answers(chunk, apart=apart))
    return {document["params"]["fast"]: document for document in found}


@pytest.mark.parametrize(
    ("deed", "status", "named"),
    [
        (lambda: os._exit(0), "failed", "ProcessDied"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "failed", "ProcessDied"),
        (hang, "timed_out", "TimeLimit"),
        (lambda: np.ones(2**29), "out_of_memory", "MemoryError"),
    ],
)
def test_only_the_run_that_kills_its_process_ends_with_the_reason(
    settings: Settings, deed: Any, status: str, named: str
) -> None:
    chunk = chunk_of()
    honest = documents(patient(settings), CATALOGUE, chunk, apart=False)

    found = documents(settings, doing(deed), chunk, apart=True)

    assert (found[2]["status"], found[2]["error"]["class"]) == (status, named)
    for fast in (1, 3):
        assert found[fast]["status"] == "succeeded"
        assert found[fast]["result_key"] == honest[fast]["result_key"]
        assert found[fast]["final_equity"] == honest[fast]["final_equity"]


def test_candles_that_cannot_be_adjusted_fail_their_runs_and_say_why(settings: Settings) -> None:
    day = START.date() + timedelta(days=1)
    bold = action("dividend", day, 1e9)
    load(settings, answer(100.0 + np.sin(np.arange(60.0)), actions=[bold]))
    chunk = chunk_of(prices="total_return")

    found = documents(patient(settings), CATALOGUE, chunk, apart=False)

    assert {one["status"] for one in found.values()} == {"failed"}
    assert {one["error"]["class"] for one in found.values()} == {"CandlesInvalid"}
    assert "dividend" in found[1]["error"]["sentence"]


def test_a_chunk_of_nothing_but_endless_runs_is_left_after_a_few(settings: Settings) -> None:
    chunk = chunk_of(search={"kind": "grid", "space": {"cash": [1, 2, 3, 4, 5, 6]}})
    quick = limited(settings, 0.3)

    found = documents_of(Desk(quick, doing(hang)).answers(chunk, apart=True))

    assert sorted(one["status"] for one in found) == ["failed"] * 3 + ["timed_out"] * 3
    assert {one["error"]["class"] for one in found if one["status"] == "failed"} == {"NotTried"}


KEPT: list[Any] = []


def test_a_run_that_eats_memory_is_found_where_it_would_have_had_it(settings: Settings) -> None:
    """512 MB are there, but a run may have 256: what it says must not depend on its neighbours."""
    found = documents(patient(settings), doing(lambda: np.ones(2**26)), chunk_of(), apart=False)

    assert (found[2]["status"], found[2]["error"]["class"]) == ("out_of_memory", "MemoryError")
    assert {found[fast]["status"] for fast in (1, 3)} == {"succeeded"}


def test_a_run_is_not_blamed_for_the_memory_that_another_one_keeps(settings: Settings) -> None:
    honest = CATALOGUE["sma_cross"]

    def signals(candles: Any, params: Any, indicators: Any) -> Any:
        if params.fast == 1:
            KEPT.append(np.ones(180 * 2**17))  # 180 MB
        if params.fast == 2:
            np.ones(180 * 2**17)
        return honest.signals(candles, params, indicators)

    try:
        greedy = {"sma_cross": replace(honest, signals=signals)}
        found = documents(patient(settings), greedy, chunk_of(), apart=False)
    finally:
        KEPT.clear()

    assert {one["status"] for one in found.values()} == {"succeeded"}


def test_a_scene_that_is_cancelled_stops_in_the_middle_of_a_chunk(settings: Settings) -> None:
    """A chunk of slow runs takes minutes; nobody asks before each of them, but every second."""
    chunk = chunk_of()
    with transaction(settings) as connection:
        scenes.receive(
            connection,
            chunk.scene_id,
            SCENE,
            "a hash",
            runs=3,
            skipped=0,
            name=None,
            origin=MessagePosition(SCENES, 0, 0),
        )

    def cancel() -> None:
        with transaction(settings) as connection:
            assert scenes.cancel(connection, chunk.scene_id)
        time.sleep(1.2)

    found = documents(patient(settings), doing(cancel), chunk, apart=False)

    assert (found[1]["status"], found[3]["status"]) == ("succeeded", "cancelled")


def test_the_memory_of_a_worker_is_bounded_only_while_it_executes(settings: Settings) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)

    list(Desk(patient(settings), doing(lambda: np.ones(2**26))).answers(chunk_of()))

    assert resource.getrlimit(resource.RLIMIT_AS) == before
