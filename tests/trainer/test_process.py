"""The process that trains: to the end whatever kills it, cancelled at once, and told on Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psutil
import pytest

from mela.messages import PROGRESS, SCENES, MessagePosition, Progress, State
from mela.settings import REPOSITORY, Settings
from mela.training import parse_training
from messaging.codec import decode_progress
from messaging.consumer import poll, tail
from services.models import models
from services.models.trainer_state import read_state
from services.scenes.cancel import cancel_scene
from services.scenes.follow import progress_of
from services.scenes.trainings import state_of
from services.tracking.mlflow_client import client_of
from streaming.plan import SceneMessage, plan_scenes
from tests.forecasts.test_registry import OF_MLFLOW, variables
from tests.streaming.test_admission import Said
from tests.warehouse.given import NAME, answer, load, rows

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings(OF_MLFLOW),
    pytest.mark.timeout(1200),  # each process loads libraries for seconds, on a busy machine more
]
BEGIN = datetime(2023, 4, 1, tzinfo=UTC)
PATIENCE_S = 600.0
TRAINING: dict[str, Any] = {
    "kind": "train",
    "name": "first",
    "instruments": [NAME],
    "interval": "1h",
    "start": "2023-04-10T00:00:00Z",
    "end": "2023-07-01T00:00:00Z",
    "features": [{"name": "returns", "params": {"span": 4}}, {"name": "hour_sin"}],
    "label": {"kind": "forward_return", "horizon": 2},
    "splits": {"kind": "walk_forward", "folds": 4},
    "model": {"name": "lightgbm", "params": {"trees": 100}},
    "seeds": [1, 2, 3],
}


@pytest.fixture
def settings(
    warehouse: Settings, streams: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A warehouse with candles, a Kafka, and an MLflow whose store is a file."""
    monkeypatch.chdir(tmp_path)
    steps = np.random.default_rng(5).normal(0.0, 0.004, 2_400)
    load(warehouse, answer(100.0 * np.exp(np.cumsum(steps)), start=BEGIN), BEGIN)
    mlflow = {"url": f"sqlite:///{tmp_path}/mlflow.db", "user": ""}
    changed = {
        "mlflow": warehouse.mlflow.model_copy(update=mlflow),
        "kafka": streams.kafka,
        "home": tmp_path / "home",
        "cache": tmp_path / "cache",
    }
    settings = warehouse.model_copy(update=changed)
    client_of(settings).create_experiment("mela.models", str(tmp_path / "artifacts"))
    return settings


@contextmanager
def trainer(settings: Settings, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m trainer` on these services."""
    env = {
        **os.environ,
        **variables(settings),
        "MELA_HOME": str(settings.home),
        "MELA_CACHE": str(settings.cache),
        "MELA_MLFLOW__URL": settings.mlflow.url,
        "MELA_KAFKA__BROKERS": settings.kafka.brokers,
        **more,
    }
    process = subprocess.Popen([sys.executable, "-m", "trainer"], cwd=REPOSITORY, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def asked(settings: Settings, **change: Any) -> UUID:
    """Have a training planned."""
    scene_id = uuid4()
    training = parse_training({**TRAINING, **change, "scene_id": str(scene_id)})
    publisher: Any = Said()
    message = SceneMessage(training.model_dump_json().encode(), MessagePosition(SCENES, 0, 1))
    plan_scenes([message], settings, publisher)
    assert publisher.refused == []
    return scene_id


def done(settings: Settings, scene_id: UUID) -> int:
    [row] = rows(settings, "SELECT done FROM ops.training WHERE scene_id = :one", one=scene_id)
    return row.done


def wait_for(what: Any) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < give_up_at, "it did not come"
        time.sleep(0.05)


def ended(settings: Settings, scene_id: UUID) -> bool:
    query = "SELECT told_at FROM ops.training WHERE scene_id = :one"
    return rows(settings, query, one=scene_id)[0].told_at is not None


def heard(consumer: Any, scene_id: UUID) -> list[Progress]:
    """Return what was told of a scene."""
    found: list[Progress] = []
    while (raw := poll(consumer, 2.0)) is not None:
        if (one := decode_progress(raw)).scene_id == scene_id:
            found.append(one)
    return found


def test_a_training_that_is_killed_twice_ends_with_the_model_of_one_that_is_not(
    settings: Settings, tmp_path: Path
) -> None:
    """Once the trainer itself dies, and with it what it started; once only what it started."""
    whole = models.train_to_folder(parse_training(TRAINING), tmp_path / "whole", settings)
    consumer = tail(settings, PROGRESS)
    scene_id = asked(settings)

    with trainer(settings) as process:
        wait_for(lambda: done(settings, scene_id) >= 5)
        [child] = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGKILL)
        process.wait()
        child.wait(30)  # the kernel ended it, too
    first = done(settings, scene_id)
    assert 5 <= first < 35

    with trainer(settings) as process:
        wait_for(lambda: done(settings, scene_id) >= first + 5)
        [child] = psutil.Process(process.pid).children()
        child.kill()
        wait_for(lambda: ended(settings, scene_id))
        alive = read_state(settings.home)
        assert alive is not None
        assert alive.pid == process.pid

    state = state_of(scene_id, settings)
    assert state is not None
    assert (state.status, state.version, state.error) == ("finished", 1, None)
    assert state.report == whole.report
    [version] = models.listed(settings)
    assert version.sha == whole.sha
    assert version.aliases == ("challenger", "champion")
    assert version.scene_id == scene_id
    assert rows(settings, "SELECT FROM ops.training_part") == []

    told = heard(consumer, scene_id)
    places = [one.place for one in told]
    assert places == sorted(places)
    assert told[-1].state is State.FINISHED
    assert told[-1].training is not None
    assert told[-1].training["sha256"] == whole.sha
    assert told[-1].mlflow_run_id == version.mlflow_run_id
    again = progress_of(scene_id, settings)
    assert again is not None
    assert again.model_dump(exclude={"at"}) == told[-1].model_dump(exclude={"at"})

    run = client_of(settings).get_run(version.mlflow_run_id or "")
    assert run.data.tags["mela.sha256"] == whole.sha
    found = models.shown(settings, "first")
    assert found.card == whole.card
    consumer.close()


def test_trainings_are_done_in_their_order_and_a_cancelled_one_at_once_not_at_all(
    settings: Settings,
) -> None:
    few = {"seeds": [1], "model": {"name": "ridge"}}
    long = asked(settings, seeds=list(range(1, 200)))
    second = asked(settings, **few)
    third = asked(settings, name="second", **few)
    cancel_scene(third, settings)

    with trainer(settings) as process:
        wait_for(lambda: done(settings, long) >= 1)
        [child] = psutil.Process(process.pid).children()
        cancel_scene(long, settings)
        child.wait(60)
        wait_for(lambda: all(ended(settings, one) for one in (long, second, third)))

    states = [state_of(one, settings) for one in (long, second, third)]
    assert [one and one.status for one in states] == ["cancelled", "finished", "cancelled"]
    assert [(one.name, one.version) for one in models.listed(settings)] == [("first", 1)]
    assert rows(settings, "SELECT FROM ops.training_part") == []


def test_what_cannot_be_trained_ends_with_the_reason_and_the_next_one_is_trained(
    settings: Settings,
) -> None:
    few = {"seeds": [1], "model": {"name": "ridge"}}
    empty = asked(settings, start="2030-01-01T00:00:00Z", end="2030-02-01T00:00:00Z", **few)
    good = asked(settings, **few)
    consumer = tail(settings, PROGRESS)

    with trainer(settings):
        wait_for(lambda: ended(settings, empty) and ended(settings, good))

    failed = state_of(empty, settings)
    assert failed is not None
    assert (failed.status, failed.version) == ("finished", None)
    assert failed.error is not None
    assert failed.error[0] == "CandlesMissing"
    [told] = heard(consumer, empty)
    assert told.training == {"error": failed.error[0], "sentence": failed.error[1]}
    assert [one.scene_id for one in models.listed(settings)] == [good]
    consumer.close()


def test_a_process_that_keeps_ending_by_itself_ends_its_training(settings: Settings) -> None:
    scene_id = asked(settings)
    with trainer(settings) as process:
        for _ in range(3):
            wait_for(lambda: psutil.Process(process.pid).children())
            [child] = psutil.Process(process.pid).children()
            child.kill()
            child.wait(30)
        wait_for(lambda: ended(settings, scene_id))

    state = state_of(scene_id, settings)
    assert state is not None
    assert state.error is not None
    assert state.error[0] == "TrainingKilled"
    assert "ended 3 times by itself, last by signal 9" in state.error[1]


def test_while_mlflow_is_away_a_training_waits_with_all_that_it_has_done(
    settings: Settings,
) -> None:
    scene_id = asked(settings, seeds=[1], model={"name": "ridge"})
    fits = 4 + 4 + 4
    with trainer(settings, MELA_MLFLOW__URL="http://127.0.0.1:9"):
        wait_for(lambda: done(settings, scene_id) == fits)
        wait_for(lambda: rows(settings, "SELECT FROM ops.training WHERE doing = 'the registry'"))
        time.sleep(3)
    assert not ended(settings, scene_id)
    assert len(rows(settings, "SELECT FROM ops.training_part")) == fits

    with trainer(settings):
        wait_for(lambda: ended(settings, scene_id))
    assert [one.version for one in models.listed(settings)] == [1]


def test_the_same_training_asked_twice_is_one_version_and_one_trial(settings: Settings) -> None:
    few = {"seeds": [1], "model": {"name": "ridge"}}
    first, again = asked(settings, **few), asked(settings, **few)
    other = asked(settings, **few, preparation={"clip": 2.0})
    with trainer(settings):
        wait_for(lambda: all(ended(settings, one) for one in (first, again, other)))

    listed = models.listed(settings)
    assert [(one.version, one.aliases) for one in listed] == [
        (2, ("challenger",)),
        (1, ("champion",)),
    ]
    states = [state_of(one, settings) for one in (first, again, other)]
    assert [one and one.version for one in states] == [1, 1, 2]
    reports = [one.report or "" for one in states if one is not None]
    assert reports[0] == reports[1]
    assert "2 trials" in reports[0]  # the model and LightGBM, and not once more itself
    assert "3 trials" in reports[2]
