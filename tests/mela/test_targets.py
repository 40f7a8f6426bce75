"""A term that holds several values goes through every document and message, and comes back."""

from __future__ import annotations

import json
from typing import Any

from backtests.simulate import provenance, run_all
from backtests.strategies import CATALOGUE
from backtests.testing.instrument import candles_of
from mela.grid import plan_runs
from mela.messages import RunChunk, read_chunk
from mela.result import Result, result_document
from mela.scene import parse_scene

STEPS = [{"after": 0, "gain": 0.1}, {"after": 24, "gain": 0.05}]
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1d",
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-02-01T00:00:00Z",
    "strategy": {"name": "buy_and_hold"},
    "exits": {"targets": STEPS},
}


def test_steps_of_a_target_are_in_the_chunk_and_in_the_result() -> None:
    [run] = plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=1).expand()

    chunk = RunChunk("0b6f0000-0000-4000-8000-000000000000", 0, [run])
    [back] = read_chunk(chunk.to_bytes(), CATALOGUE).runs
    assert back == run
    assert back.run_key == run.run_key

    candles = candles_of([(100.0, 120.0, 90.0, 100.0)] * 31)
    [outcome] = run_all(candles, [run])
    document = result_document(outcome, provenance(run.strategy, None, CATALOGUE), scene_id=None)
    stored = json.loads(json.dumps(document, default=str))
    assert stored["exits"]["targets"] == STEPS
    assert Result.model_validate(stored).exits == run.exits
