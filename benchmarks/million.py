"""A scene of a million runs with the whole stack up: the memory that it takes, and its time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psutil
from rich.console import Console

import stack
from benchmarks.path import END, START
from benchmarks.rows import Row, row
from mela.errors import MelaError
from mela.messages import PROGRESS, Progress, State
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.consumer import tail
from messaging.publisher import Publisher
from warehouse.ingestion.ingest import ingest

RUNS, WARM, FAST = 1_000_000, 2_000, 500
GIVE_UP_S = 1_800.0
SAMPLED_S = 1.0
MEGABYTE, GIGABYTE = 2**20, 2**30


class Memory(NamedTuple):
    """Proportional set sizes in bytes. driver: the job's own process; job: with JVM and workers."""

    driver: int
    job: int


def measure(console: Console) -> list[Row]:
    """Start a separate stack, run a million runs on 8,760 hourly candles, and stop the stack."""
    home = Settings().home
    settings = Settings(home=home.with_name(home.name + "-bench-million"), mlflow_top=20)
    console.print("bench million: starting a stack of its own, everything up …")
    settings = stack.up(settings, offline=True)
    try:
        ingest("binance:BTCUSDT", "1h", START, END, settings)
        return _measure(settings, console)
    finally:
        stack.down(settings)


def _measure(settings: Settings, console: Console) -> list[Row]:
    _run(_scene(WARM), settings)  # what a job loads once is no part of what a million runs take
    idle = _memory(settings)
    most = idle
    took = time.monotonic()
    for now in _run(_scene(RUNS), settings):
        most = Memory(max(most.driver, now.driver), max(most.job, now.job))
    took = time.monotonic() - took
    note = f"finished after {took:.0f} s, {RUNS / took:,.0f} runs/s"
    console.print(f"  {RUNS:,} runs: {note}")
    return [
        row(
            "million.driver_memory",
            [(most.driver - idle.driver) / MEGABYTE],
            "MB above idle, the job's own process",
            "lower",
            minimum=300.0,
            note=note,
        ),
        row(
            "million.job_memory",
            [most.job / GIGABYTE],
            "GB, the job with its JVM and Python workers",
            "lower",
            minimum=3.0,
            aim=2.0,
            note=f"idle: {idle.job / GIGABYTE:.2f}",
        ),
    ]


def _scene(runs: int) -> Scene:
    document: Mapping[str, Any] = {
        "scene_id": str(uuid4()),
        "name": f"bench {runs}",
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "strategy": {"name": "sma_cross"},
        "search": {
            "kind": "grid",
            "space": {
                "strategy.params.fast": {"from": 1, "to": FAST, "step": 1},
                "strategy.params.slow": {"from": FAST + 1, "to": FAST + runs // FAST, "step": 1},
            },
        },
    }
    return parse_scene(document)


def _run(scene: Scene, settings: Settings) -> list[Memory]:
    """Publish a scene and wait for its end; return the memory in use meanwhile."""
    assert scene.scene_id is not None
    used: list[Memory] = []
    consumer = tail(settings, PROGRESS)
    try:
        with Publisher(settings.kafka) as publisher:
            publisher.scene(scene)
        give_up_at = time.monotonic() + GIVE_UP_S
        sampled_at = 0.0
        while time.monotonic() < give_up_at:
            for message in consumer.consume(1_000, timeout=0.2):
                value = message.value()
                if message.error() is None and value is not None and _is_end(value, scene.scene_id):
                    return [*used, _memory(settings)]
            if time.monotonic() - sampled_at > SAMPLED_S:
                sampled_at = time.monotonic()
                used.append(_memory(settings))
    finally:
        consumer.close()
    raise MelaError(f"scene {scene.scene_id} did not end within {GIVE_UP_S:.0f} s")


def _is_end(value: bytes, scene_id: UUID) -> bool:
    progress = Progress.model_validate_json(value)
    if progress.scene_id == scene_id and progress.state is State.REJECTED:
        raise MelaError(f"the scene was refused: {progress.sentence}")
    return progress.scene_id == scene_id and progress.state is State.FINISHED


def _memory(settings: Settings) -> Memory:
    driver = job = 0
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if (
                environment.get("MELA_STACK") != str(settings.home)
                or environment.get("MELA_SERVICE") != "spark"
            ):
                continue
            used = process.memory_full_info().pss
            job += used
            driver += used if "streaming.job" in process.cmdline() else 0
        except psutil.Error:
            continue
    return Memory(driver, job)
