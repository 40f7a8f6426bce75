"""The path of a scene with the whole stack up: published → results in Kafka → rows in Postgres."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psutil
from confluent_kafka import Consumer
from rich.console import Console

import stack
from benchmarks.path_beside import backtrader_rate, engine_alone
from benchmarks.rows import Row, row
from mela.errors import MelaError
from mela.messages import PROGRESS, RESULTS, Progress, State
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.consumer import tail
from messaging.publisher import Publisher
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.results import finder
from warehouse.scenes import records

START, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
SMALL, LARGE, GIANT = 2_000, 20_000, 200_000
REPEATS, IDLE_REPEATS, IDLE_PAUSE_S = 3, 40, 0.2
FLOOD, BESIDE = 2_000, 9
GIVE_UP_S = 120.0
QUIET_S = 0.05  # of processor time in a second
SPACES = {
    1: {"strategy.params.fast": [20]},
    SMALL: {
        "strategy.params.fast": {"from": 5, "to": 54, "step": 1},
        "strategy.params.slow": {"from": 60, "to": 99, "step": 1},
    },
    LARGE: {
        "strategy.params.fast": {"from": 1, "to": 100, "step": 1},
        "strategy.params.slow": {"from": 101, "to": 300, "step": 1},
    },
    GIANT: {
        "strategy.params.fast": {"from": 1, "to": 100, "step": 1},
        "strategy.params.slow": {"from": 101, "to": 2_100, "step": 1},
    },
}


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from publishing until each stage was complete, and the services' processor time.

    answered: None if nobody listened to mela.results, because listening to 20,000 results costs
        time
    cpu_s: service → seconds of processor time
    """

    planned: float
    answered: float | None
    recorded: float
    cpu_s: Mapping[str, float]


def measure(console: Console) -> list[Row]:
    """Start a separate stack, measure the path on 8,760 hourly candles, and stop the stack."""
    home = Settings().home
    # few runs of a scene in MLflow: each scene waits until its mirror has nothing to do any more
    settings = Settings(home=home.with_name(home.name + "-bench"), mlflow_top=20)
    console.print("bench path: starting a stack of its own, everything up …")
    settings = stack.up(settings, offline=True)
    try:
        ingest("binance:BTCUSDT", "1h", START, END, settings)
        return _measure(settings, console)
    finally:
        stack.down(settings)


def _measure(settings: Settings, console: Console) -> list[Row]:
    with Publisher(settings.kafka) as publisher:
        for size in (1, SMALL, SMALL):  # warm: candles read, indexes in memory
            _time(scene_of(size), settings, publisher, PROGRESS)
        return [
            *_idle(settings, publisher),
            *_grids(settings, publisher, console),
            *_flood(settings, publisher),
            *_beside_a_giant(settings, publisher),
        ]


def _idle(settings: Settings, publisher: Publisher) -> list[Row]:
    answered: list[float] = []
    for _ in range(IDLE_REPEATS):
        time.sleep(IDLE_PAUSE_S)
        answered.append(_answered(scene_of(1), settings, publisher))
    return [
        row(
            "path.idle_small_scene",
            answered,
            "s, publish → result in Kafka",
            "lower",
            minimum=0.5,
            aim=0.3,
        ),
        row(
            "path.idle_small_scene_p99",
            [sorted(answered)[-1 - len(answered) // 100]],
            "s, publish → result in Kafka",
            "lower",
            minimum=1.5,
            aim=0.8,
            note=f"the slowest of {len(answered)}",
        ),
    ]


def _grids(settings: Settings, publisher: Publisher, console: Console) -> list[Row]:
    stages: list[Times] = []
    speeds: list[float] = []
    for _ in range(REPEATS):
        stages.append(_time(scene_of(SMALL), settings, publisher, PROGRESS))
        speeds.append(SMALL / stages[-1].recorded)
    small = row(
        f"path.grid_{SMALL}",
        speeds,
        "runs/s, publish → recorded",
        "higher",
        minimum=400.0,
        aim=1_000.0,
        note=_where(stages),
    )
    return [small, *_large_grids(settings, publisher, console)]


def _large_grids(settings: Settings, publisher: Publisher, console: Console) -> list[Row]:
    """Measure grids, each beside the engine alone and beside its own stored answers."""
    stages: list[Times] = []
    cached: list[float] = []
    alone: list[float] = []
    with engine_alone(scene_of(LARGE), settings) as (engine, folder):
        for _ in range(REPEATS):
            scene = scene_of(LARGE)
            stages.append(_time(scene, settings, publisher, PROGRESS))
            alone.append(engine.seconds())
            again = scene.model_copy(update={"scene_id": uuid4()})
            cached.append(_answered(again, settings, publisher))
            took = stages[-1].recorded
            console.print(
                f"  {LARGE:,} runs: {LARGE / took:,.0f} runs/s; the engine alone "
                f"{LARGE / alone[-1]:,.0f}; stored answers {cached[-1]:.2f} s"
            )
        loop = backtrader_rate(folder)
    recorded = [times.recorded for times in stages]
    return [
        row(
            f"path.grid_{LARGE}",
            [LARGE / took for took in recorded],
            "runs/s, publish → recorded",
            "higher",
            minimum=5_000.0,
            aim=8_000.0,
            note=_where(stages),
        ),
        row(
            "path.grid_over_engine",
            [took / engine_s for took, engine_s in zip(recorded, alone, strict=True)],
            "× the engine alone on two cores",
            "lower",
            minimum=3.0,
            aim=1.5,
            note=f"the engine alone: {LARGE / statistics.median(alone):,.0f} runs/s",
        ),
        row(
            "path.grid_over_backtrader",
            [LARGE / took / loop for took in recorded],
            "× a plain loop of Backtrader in two processes",
            "higher",
            minimum=300.0,
            aim=1_000.0,
            note=f"Backtrader: {loop:.2f} runs/s, its strategy and analyzers alone",
        ),
        row(
            f"path.cached_grid_{LARGE}",
            cached,
            "s, publish → all answers in Kafka",
            "lower",
        ),
        row(
            "path.cached_over_first",
            [again / took for again, took in zip(cached, recorded, strict=True)],
            "of the first publish → recorded",
            "lower",
            minimum=0.2,
            aim=0.1,
        ),
    ]


def _flood(settings: Settings, publisher: Publisher) -> list[Row]:
    """Publish many small scenes at once, and wait until the answers of all are recorded."""
    flood = [scene_of(1) for _ in range(FLOOD)]
    waiting = {str(scene.scene_id) for scene in flood}
    consumer = tail(settings, PROGRESS)
    try:
        started_at = time.monotonic()
        for scene in flood:
            publisher.scene(scene)
        publisher.flush()
        while waiting and time.monotonic() - started_at < GIVE_UP_S:
            for message in consumer.consume(5_000, timeout=0.05):
                value = message.value()
                if message.error() is None and value is not None:
                    progress = Progress.model_validate_json(value)
                    if progress.state in {State.RECORDED, State.FINISHED}:
                        waiting.discard(str(progress.scene_id))
        took = time.monotonic() - started_at
    finally:
        consumer.close()
    return [
        row(
            f"path.small_scenes_{FLOOD}",
            [(FLOOD - len(waiting)) / took],
            "scenes/s, published at once → recorded",
            "higher",
            minimum=300.0,
            aim=1_000.0,
        )
    ]


def _beside_a_giant(settings: Settings, publisher: Publisher) -> list[Row]:
    """Ask small scenes while a scene of 200,000 runs is in progress."""
    giant = scene_of(GIANT)
    assert giant.scene_id is not None
    consumer = tail(settings, PROGRESS)
    publisher.scene(giant)
    publisher.flush()
    has_begun = False
    while not has_begun:
        for message in consumer.consume(100, timeout=0.1):
            value = message.value()
            if message.error() is None and value is not None:
                progress = Progress.model_validate_json(value)
                has_begun |= progress.scene_id == giant.scene_id and bool(progress.recorded)
    consumer.close()
    # the ends of a flood's scenes are concluded one after the other: only answers are waited for
    answered = [_answered(scene_of(1), settings, publisher, ends=False) for _ in range(BESIDE)]
    with transaction(settings) as connection:
        [counted] = finder.progress(connection, [giant.scene_id])
        if counted.recorded == GIANT:
            raise MelaError("the giant ended before the small scenes were asked")
        records.cancel(connection, giant.scene_id)
    return [
        row(
            "path.small_beside_200000",
            answered,
            "s, publish → result in Kafka",
            "lower",
            minimum=5.0,
            aim=2.0,
        )
    ]


def _where(stages: list[Times]) -> str:
    middle = sorted(stages, key=lambda times: times.recorded)[len(stages) // 2]
    worked = sorted(middle.cpu_s.items(), key=lambda item: -item[1])
    return (
        f"median run: planned after {middle.planned:.2f} s, recorded after {middle.recorded:.2f} s;"
        f" processor seconds: {', '.join(f'{name} {s:.1f}' for name, s in worked if s >= 0.1)}"
    )


def scene_of(size: int) -> Scene:
    """Return a scene of so many runs, one of SPACES, that nobody has asked before."""
    # a cash never used before makes each question new, so that nothing is answered from the store
    document: Mapping[str, Any] = {
        "scene_id": str(uuid4()),
        "name": f"bench {size}",
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "strategy": {"name": "sma_cross", "params": {"slow": 100}},
        "search": {"kind": "grid", "space": SPACES[size]},
        "cash": time.time(),
    }
    return parse_scene(document)


def _answered(
    scene: Scene, settings: Settings, publisher: Publisher, *, ends: bool = True
) -> float:
    answered = _time(scene, settings, publisher, PROGRESS, RESULTS, ends=ends).answered
    assert answered is not None
    return answered


def _time(
    scene: Scene, settings: Settings, publisher: Publisher, *topics: str, ends: bool = True
) -> Times:
    """Publish a scene, wait until it is finished, and return when it passed each stage.

    ends: false to wait for its answers alone
    """
    assert scene.scene_id is not None
    if ends:
        _settle(settings)
    consumer = tail(settings, *topics)
    try:
        before = _cpu_seconds(settings)
        started_at = time.monotonic()
        publisher.scene(scene)
        publisher.flush()
        is_heard = RESULTS in topics
        return _watch(consumer, scene.scene_id, started_at, settings, before, is_heard, ends)
    finally:
        consumer.close()


def _settle(settings: Settings) -> None:
    """Wait until MLflow has what scenes before gave it to do, which goes on after their end."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while time.monotonic() < give_up_at:
        before = _cpu_seconds(settings).get("mlflow", 0.0)
        time.sleep(1.0)
        if _cpu_seconds(settings).get("mlflow", 0.0) - before < QUIET_S:
            return
    raise MelaError(f"MLflow was still at work after {GIVE_UP_S:.0f} s")


def _cpu_seconds(settings: Settings) -> dict[str, float]:
    worked: dict[str, float] = {}
    home = str(settings.home)
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            is_database = process.name() == "postgres"  # it writes over its environment
            if environment.get("MELA_STACK") == home or (
                is_database and process.cwd().startswith(home)
            ):
                service = environment.get("MELA_SERVICE", "Postgres").partition("-")[0]
                if service == "spark":
                    service = "Spark's JVM" if "java" in process.name() else "Spark's Python"
                times = process.cpu_times()
                worked[service] = worked.get(service, 0.0) + times.user + times.system
        except psutil.Error:
            continue
    return worked


def _watch(
    consumer: Consumer,
    scene_id: UUID,
    started_at: float,
    settings: Settings,
    before: Mapping[str, float],
    is_heard: bool,
    ends: bool,
) -> Times:
    prefix = f"{scene_id}:".encode()
    answered: set[bytes] = set()
    planned = answered_at = recorded = None
    runs, is_finished = 0, False
    worked: dict[str, float] = {}
    while time.monotonic() - started_at < GIVE_UP_S:
        for message in consumer.consume(5_000, timeout=0.02):
            key, value, now = message.key(), message.value(), time.monotonic() - started_at
            if message.error() is not None or key is None or value is None:
                continue
            if message.topic() == RESULTS and key.startswith(prefix):
                answered.add(key)
                answered_at = now
            elif message.topic() == PROGRESS and key == prefix[:-1]:
                progress = Progress.model_validate_json(value)
                runs = progress.runs or runs
                if progress.state is State.PLANNED:
                    planned = now
                is_finished |= progress.state is State.FINISHED
                if progress.state is State.RECORDED and progress.recorded == runs:
                    if recorded is None:
                        worked = _cpu_seconds(settings)
                    recorded = recorded or now
        is_answered = not is_heard or len(answered) == runs
        has_ended = recorded and is_finished
        if planned and is_answered and (has_ended or not ends):
            spent = {name: s - before.get(name, 0.0) for name, s in worked.items()}
            return Times(planned, answered_at, recorded or 0.0, spent)
    raise MelaError(f"scene {scene_id}: {len(answered)} of {runs} answers in {GIVE_UP_S:.0f} s")
