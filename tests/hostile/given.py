"""Valid messages of each topic, from which hostile ones are made."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from backtests.strategies import CATALOGUE
from mela.grid import plan_runs
from mela.messages import MessagePosition, RunChunk
from mela.scene import parse_scene
from mela.settings import Settings
from streaming import strategies
from streaming.run import Desk
from tests.streaming.answered import documents_of
from tests.warehouse.given import NAME
from warehouse.database import transaction
from warehouse.scenes import records as scenes

SPAN = {"interval": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-02T16:00:00Z"}
MEANS = {"name": "sma_cross", "params": {"fast": 2, "slow": 4}}
ONE: dict[str, Any] = {"schema_version": 1, "instruments": [NAME], **SPAN, "strategy": MEANS}
SCENES: tuple[dict[str, Any], ...] = (
    ONE,
    {
        **ONE,
        "search": {
            "kind": "grid",
            "space": {
                "strategy.params.fast": {"from": 1, "to": 3, "step": 1},
                "exits.stop_loss": [None, 0.05],
            },
        },
        "exits": {"take_profit": 0.1, "cooldown_bars": 1},
        "costs": {"kind": "flat", "fee": 0.001, "slippage": 0.0005},
        "rank_by": "total_return",
        "min_trades": 1,
    },
    {
        **ONE,
        "name": "drawn",
        "search": {
            "kind": "random",
            "space": {"strategy.params.slow": {"low": 3, "high": 9, "integer": True}},
            "trials": 3,
            "seed": 7,
        },
        "validation": {"train": "12c", "test": "6c"},
        "holdout": {"start": "2024-01-02T00:00:00Z"},
    },
    {
        **ONE,
        "instruments": [NAME, "binance:ETHUSDT"],
        "mode": "together",
        "portfolio": {"weights": {"kind": "equal"}},
        "direction": "long",
        "prices": "raw",
        "cash": 5000.5,
    },
)


def scene_of(number: int) -> dict[str, Any]:
    """Return a valid scene whose id is made of a number."""
    return {**SCENES[number % len(SCENES)], "scene_id": str(UUID(int=number + 1))}


def chunk_of(number: int) -> dict[str, Any]:
    """Return the first chunk of a scene as JSON values."""
    scene = parse_scene(scene_of(number))
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=100).expand())[:4]
    digests = {name: CATALOGUE[name].digest for name in {run.strategy for run in runs}}
    chunk = RunChunk(str(scene.scene_id), 0, runs, digests)
    return json.loads(chunk.to_bytes())


def results_of(number: int, settings: Settings) -> list[dict[str, Any]]:
    """Receive a scene and return the results of its first chunk; its candles are loaded."""
    from mela.messages import read_chunk

    receive(number, settings)
    catalogue = strategies.current(settings)
    chunk = read_chunk(json.dumps(chunk_of(number)).encode(), catalogue)
    desk = Desk(settings, catalogue.with_failing())
    return documents_of(desk.answers(chunk))


def receive(number: int, settings: Settings) -> None:
    """Record a scene as the planner does."""
    scene = parse_scene(scene_of(number))
    plan = plan_runs(scene, CATALOGUE, max_runs=100)
    with transaction(settings) as connection:
        scenes.receive(
            connection,
            str(scene.scene_id),
            scene.content(),
            scene.content_hash(),
            runs=plan.runs,
            skipped=plan.skipped,
            name=scene.name,
            origin=MessagePosition("mela.scenes", 0, number),
        )
        scenes.set_planned(connection, str(scene.scene_id), cached=0)


def progress_of(number: int) -> list[dict[str, Any]]:
    """Return what is said of a scene while it goes on."""
    at = {"schema_version": 1, "scene_id": str(UUID(int=number + 1)), "at": "2024-01-01T00:00:00Z"}
    return [
        {**at, "state": "planned", "runs": 6, "skipped": 0, "cached": 0},
        {**at, "state": "recorded", "runs": 6, "recorded": 3, "cached": 0},
        {**at, "state": "recorded", "runs": 6, "recorded": 6, "cached": 0},
        {**at, "state": "rejected", "code": "invalid_field", "field": "cash", "sentence": "no."},
        {
            **at,
            "state": "finished",
            "runs": 1,
            "recorded": 1,
            "best": [{"run_key": "0" * 64}],
            "warnings": [{"run_key": "", "code": "x", "sentence": "y"}],
            "report": {"trials": 3},
        },
    ]
