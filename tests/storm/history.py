"""The account of a storm: what was published, what was said of it, and whether all of it holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from confluent_kafka import Consumer
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from mela.errors import RejectionCode
from mela.grid import plan_runs
from mela.messages import PROGRESS, REJECTED, RESULTS, Progress, Rejection, RunChunk, State
from mela.scene import Scene
from mela.settings import Settings
from messaging.codec import decode_progress, original_of
from messaging.consumer import backwards, tail
from streaming import strategies
from streaming.run import Desk
from streaming.tracking import AT_ONCE
from tests.integration.asking import answers, stored_scene, wait_for
from tests.streaming.answered import documents_of
from warehouse.database import transaction
from warehouse.results import finder as results

# what says when and for whom, not what was found
CIRCUMSTANCES = ("computed_at", "scene_id", "cached", "lookahead")


class Heard:
    """All messages of mela.progress since its construction, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: Consumer = tail(settings, PROGRESS)
        self.messages: list[Progress] = []

    def listen(self, seconds: float = 0.2) -> list[Progress]:
        """Return what came within so many seconds."""
        came = [
            decode_progress(message.value())
            for message in self._consumer.consume(1000, timeout=seconds)
            if message.error() is None and message.value()
        ]
        self.messages += came
        return came

    def of(self, scene_id: UUID | None) -> list[Progress]:
        """Return what was said of a scene."""
        return [one for one in self.messages if one.scene_id == scene_id]

    def has_ended(self, scene_id: UUID | None) -> bool:
        """Tell whether a scene was called finished or rejected."""
        return any(one.state in (State.FINISHED, State.REJECTED) for one in self.of(scene_id))


def ended_whole(said: Sequence[Progress]) -> None:
    """Hold that a scene was called finished with all its runs, and never rejected."""
    states = {one.state for one in said}
    assert State.FINISHED in states, f"it never ended: {sorted(states)} were said"
    assert State.REJECTED not in states, "it was called rejected, too"
    last = max(said, key=lambda one: one.place)
    whole = (last.state, last.recorded) == (State.FINISHED, last.runs)
    assert whole, f"it ended {last.state} with {last.recorded} of {last.runs} runs"


def progress_goes_forward(said: Sequence[Progress]) -> None:
    """Hold that a scene's counts never fall, and that none is short of its runs after its end."""
    counts = [one.recorded or 0 for one in said if one.state is State.RECORDED]
    assert counts == sorted(counts), f"recorded went backwards: {counts}"
    runs = {one.runs for one in said if one.runs is not None}
    assert len(runs) <= 1, f"it was said to have {sorted(runs)} runs"
    ended = False
    for one in said:
        assert (one.recorded or 0) <= (one.runs or 0), "more are recorded than it has"
        ended = ended or one.state is State.FINISHED
        if ended and one.state is State.RECORDED:  # said again
            assert one.recorded == one.runs, "less was recorded after its end"


def stored_whole_and_once(scene: Scene, settings: Settings) -> list[dict[str, Any]]:
    """Hold the tables against the scene: each run answered once; return the answers."""
    rows = answers(scene.scene_id, settings)
    catalogue = strategies.current(settings)
    plan = plan_runs(scene, catalogue, max_runs=settings.max_runs)
    with transaction(settings) as connection:
        [counted] = results.progress(connection, [str(scene.scene_id)])
        doubled = connection.execute(
            text(
                "SELECT run_key FROM ops.result WHERE run_key = ANY(:keys)"
                " GROUP BY run_key HAVING count(*) > 1"
            ),
            {"keys": [row["run_key"] for row in rows]},
        ).all()
        planned = connection.scalar(
            text(
                "SELECT planned_at IS NOT NULL AND finished_at IS NOT NULL FROM ops.scene"
                " WHERE scene_id = :id"
            ),
            {"id": str(scene.scene_id)},
        )
    keys = [row["run_key"] for row in rows]
    assert len(set(keys)) == len(keys), "a run has two answers"
    assert set(keys) == {run.run_key for run in plan.expand()}, "its answers are not of its runs"
    held = (counted.recorded, counted.runs)
    assert held == (plan.runs, plan.runs), f"{held} recorded and asked, of {plan.runs}"
    failed = {f"{row['status']}: {row['error']}" for row in rows if row["status"] != "succeeded"}
    assert not failed, f"not all succeeded: {failed}"
    assert not doubled, f"stored twice: {doubled}"
    assert planned, "the warehouse does not call it planned and finished"
    return rows


def equal_without_faults(scene: Scene, rows: list[dict[str, Any]], settings: Settings) -> None:
    """Hold a scene's stored answers against those of this process, to the last bit."""
    catalogue = strategies.current(settings)
    runs = tuple(plan_runs(scene, catalogue, max_runs=settings.max_runs).expand())
    desk = Desk(settings, catalogue)
    here = {
        document["run_key"]: document
        for document in documents_of(desk.answers(RunChunk(str(scene.scene_id), 0, runs)))
    }
    assert len(here) == len(rows), f"{len(rows)} answers, {len(here)} here"
    for row in rows:
        other = differences(found(here[row["run_key"]]), found(row))
        assert not other, f"{row['run_key']} has other numbers: {other}"


def found(document: dict[str, Any]) -> dict[str, Any]:
    """Return a result without its circumstances: equal numbers have equal bits."""
    return {name: value for name, value in document.items() if name not in CIRCUMSTANCES}


def mirrored_once(scene: Scene, runs: int, settings: Settings, patience_s: float = 600.0) -> None:
    """Hold MLflow against a scene of so many runs: it is there once, and so are its best runs."""
    client = MlflowClient(tracking_uri=settings.mlflow.url)
    experiment = wait_for(
        lambda: client.get_experiment_by_name(scene.strategy.name), patience_s, "MLflow answers"
    )
    ids = [experiment.experiment_id]
    where = f"tags.`mela.scene_id` = '{scene.scene_id}'"
    # MLflow keeps its runs in the Postgres that was killed: what it missed is made up for later
    parents = wait_for(
        lambda: list(client.search_runs(ids, where)), patience_s, "MLflow has the scene"
    )
    assert len(parents) == 1, f"MLflow has the scene {len(parents)} times"
    below = f"tags.`mlflow.parentRunId` = '{parents[0].info.run_id}'"
    wanted = min(AT_ONCE, runs)
    nested = wait_for(
        lambda: len(some := list(client.search_runs(ids, below))) >= wanted and some,
        patience_s,
        "MLflow has the best runs",
    )
    keys = [run.data.tags["mela.run_key"] for run in nested]
    assert len(keys) == len(set(keys)), "MLflow has a run twice"


def refused_whole(scene: Scene, said: Sequence[Progress], settings: Settings) -> None:
    """Hold that a scene of an instrument that nobody has was rejected, and nothing else."""
    assert said, "nothing was said of it"
    ends = {(one.state, one.code) for one in said}
    assert ends == {(State.REJECTED, RejectionCode.UNKNOWN_INSTRUMENT)}, f"it ended {ends}"
    stored = stored_scene(scene.scene_id, settings)
    status = stored and stored.status
    assert status == "rejected", f"the warehouse calls it {status}"
    assert not answers(scene.scene_id, settings), "it was refused, and has answers"


def letters_name_only(refused: Collection[Scene], since: datetime, settings: Settings) -> None:
    """Hold that just the scenes that had to be refused lie in mela.rejected, each of them."""
    wanted = {str(one.scene_id) for one in refused}
    found: set[str] = set()
    for message in backwards(settings, REJECTED, since):
        letter = Rejection.model_validate_json(message.value() or b"")
        original = original_of(letter)
        named = [name for name in wanted if name.encode() in original]
        assert named, f"{letter.topic} was refused: {letter.code}, {letter.sentence}"
        found.update(named)
    assert found == wanted, f"no letter of {wanted - found}"


def sent_whole(
    stored: dict[str, list[dict[str, Any]]], since: datetime, settings: Settings
) -> None:
    """Hold mela.results against the tables: each answer was sent, and always the same.

    stored: the answers of scenes by their ids
    """
    wanted = {
        (scene_id, row["run_key"]): found(row) for scene_id, rows in stored.items() for row in rows
    }
    sent: set[tuple[str, str]] = set()
    for message in backwards(settings, RESULTS, since):
        document = orjson.loads(message.value() or b"")
        key = document["scene_id"], document["run_key"]
        if document["scene_id"] in stored:
            other = differences(found(document), wanted.get(key, {}))
            assert not other, f"{key} was sent otherwise than it is stored: {other}"
            sent.add(key)
    missing = wanted.keys() - sent
    assert not missing, f"{len(missing)} answers were never sent, as {next(iter(missing))}"


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two results differ."""
    names = one.keys() | other.keys()
    pairs = {name: (one.get(name), other.get(name)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def account_for(scene: Scene, heard: Heard, settings: Settings) -> list[dict[str, Any]]:
    """Hold everything that is promised of a scene that was acknowledged and is well.

    Returns its stored answers.
    """
    ended_whole(heard.of(scene.scene_id))
    progress_goes_forward(heard.of(scene.scene_id))
    rows = stored_whole_and_once(scene, settings)
    equal_without_faults(scene, rows, settings)
    mirrored_once(scene, len(rows), settings)
    return rows
