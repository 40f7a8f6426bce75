"""Each check of a storm's account holds for what is well, and fails for what is planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import orjson
import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from mela.errors import RejectionCode, SceneInvalid
from mela.grid import plan_runs
from mela.messages import RUNS, SCENES, MessagePosition, Progress, RunChunk, State
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming import strategies, tracking
from streaming.conclude import conclude_scene
from streaming.plan import SceneMessage, plan_scenes
from streaming.run import Desk
from tests.forecasts.test_registry import OF_MLFLOW
from tests.hostile.given import ONE
from tests.integration.asking import answers
from tests.storm.history import (
    ended_whole,
    equal_without_faults,
    letters_name_only,
    mirrored_once,
    progress_goes_forward,
    refused_whole,
    sent_whole,
    stored_whole_and_once,
)
from tests.streaming.answered import answered, documents_of
from tests.warehouse.given import answer, load
from warehouse.database import transaction

pytestmark = pytest.mark.filterwarnings(OF_MLFLOW)
ID = UUID("00000000-0000-0000-0000-000000000001")
GRID = {**ONE, "search": {"kind": "grid", "space": {"strategy.params.fast": [1, 2, 3]}}}
PLANNED = {"state": State.PLANNED}
FINISHED = {"state": State.FINISHED, "recorded": 9}
REFUSED = {"state": State.REJECTED, "code": RejectionCode.UNKNOWN_INSTRUMENT}


def said(*messages: dict[str, Any]) -> list[Progress]:
    now = datetime.now(UTC)
    every = {"scene_id": ID, "at": now, "runs": 9}
    return [Progress.model_validate({**every, **one}) for one in messages]


def recorded(count: int) -> dict[str, Any]:
    return {"state": State.RECORDED, "recorded": count}


WELL = said(PLANNED, recorded(3), recorded(3), recorded(9), FINISHED, recorded(9), FINISHED)


@pytest.mark.parametrize(
    ("check", "history", "found"),
    [
        (ended_whole, [], "never ended"),
        (ended_whole, said(PLANNED, recorded(9)), "never ended"),
        (ended_whole, said(REFUSED), "never ended"),
        (ended_whole, said(PLANNED, FINISHED, REFUSED), "rejected, too"),
        (ended_whole, said({**FINISHED, "recorded": 8}), "8 of 9"),
        (progress_goes_forward, said(recorded(5), recorded(4)), "backwards"),
        (progress_goes_forward, said(recorded(5), {**recorded(6), "runs": 10}), "runs"),
        (progress_goes_forward, said(recorded(10)), "more are recorded"),
        (progress_goes_forward, said(FINISHED, recorded(8)), "after its end"),
    ],
)
def test_what_was_said_of_a_scene_is_held_to_account(
    check: Callable[[Sequence[Progress]], None], history: list[Progress], found: str
) -> None:
    check(WELL)
    with pytest.raises(AssertionError, match=found):
        check(history)


@pytest.fixture
def settings(
    warehouse: Settings, streams: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.chdir(tmp_path)  # MLflow without a server lays its files where the process stands
    load(warehouse, answer(100.0 + np.sin(np.arange(60.0))))
    mlflow = {"url": f"sqlite:///{tmp_path}/mlflow.db", "user": ""}
    return warehouse.model_copy(
        update={
            "kafka": streams.kafka,
            "mlflow": warehouse.mlflow.model_copy(update=mlflow),
            "mlflow_picture": False,
        }
    )


def finished(settings: Settings) -> Scene:
    """Return a scene of three runs that the warehouse and MLflow have whole."""
    scene_id = answered(GRID, settings)
    with Publisher(settings.kafka) as publisher:
        conclude_scene(scene_id, settings, publisher)
    return parse_scene({**GRID, "scene_id": scene_id})


def change(settings: Settings, statement: str, scene: Scene, **values: Any) -> None:
    with transaction(settings) as connection:
        values = {"id": str(scene.scene_id)} | values
        assert connection.execute(text(statement), values).rowcount > 0


OF_SCENE = "WHERE run_key IN (SELECT run_key FROM ops.scene_run WHERE scene_id = :id)"
AN_ANSWER = "(SELECT run_key, result_key FROM ops.scene_run WHERE scene_id = :id LIMIT 1) one"
# what differs of a second answer to the same run
COPIED = """
    CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT result.* FROM ops.result result
        JOIN ops.scene_run answer USING (result_key) WHERE answer.scene_id = :id LIMIT 1;
    UPDATE copied SET result_key = repeat('0', 64);
    INSERT INTO ops.result SELECT * FROM copied
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (
            f"DELETE FROM ops.scene_run USING {AN_ANSWER} WHERE scene_id = :id"
            " AND scene_run.run_key = one.run_key",
            "not of its runs",
        ),
        (COPIED, "stored twice"),
        (
            "UPDATE ops.scene SET finished_at = NULL, status = 'planned' WHERE scene_id = :id",
            "planned and finished",
        ),
        (
            "UPDATE ops.result SET status = 'failed', error_class = 'E', error_sentence = 'E' "
            + OF_SCENE,
            "not all succeeded",
        ),
    ],
)
def test_the_tables_are_held_to_account(settings: Settings, planted: str, found: str) -> None:
    scene = finished(settings)
    stored_whole_and_once(scene, settings)

    change(settings, planted, scene)

    with pytest.raises(AssertionError, match=found):
        stored_whole_and_once(scene, settings)


@pytest.mark.integration
def test_an_answer_of_another_scenes_run_is_noticed(settings: Settings) -> None:
    scene, other = finished(settings), answered({**GRID, "cash": 777}, settings)

    change(
        settings,
        "INSERT INTO ops.scene_run (scene_id, run_key, result_key, cached)"
        " SELECT :id, run_key, result_key, false FROM ops.scene_run WHERE scene_id = :other",
        scene,
        other=other,
    )

    with pytest.raises(AssertionError, match="not of its runs"):
        stored_whole_and_once(scene, settings)


@pytest.mark.integration
def test_one_bit_of_one_number_is_noticed(settings: Settings) -> None:
    scene = finished(settings)
    equal_without_faults(scene, answers(scene.scene_id, settings), settings)

    change(
        settings,
        f"UPDATE ops.result SET final_equity = final_equity * (1 + 2.3e-16) {OF_SCENE}",
        scene,
    )

    with pytest.raises(AssertionError, match="other numbers"):
        equal_without_faults(scene, answers(scene.scene_id, settings), settings)


@pytest.mark.integration
def test_a_scene_that_mlflow_lacks_or_has_twice_is_noticed(settings: Settings) -> None:
    scene = finished(settings)
    mirrored_once(scene, 3, settings)
    client = MlflowClient(settings.mlflow.url)
    experiment = client.get_experiment_by_name("sma_cross")
    assert experiment is not None
    [parent] = client.search_runs(
        [experiment.experiment_id], f"tags.`{tracking.SCENE_TAG}` = '{scene.scene_id}'"
    )
    below = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    child = client.search_runs([experiment.experiment_id], below)[0]

    again = client.create_run(experiment.experiment_id, tags=child.data.tags)
    with pytest.raises(AssertionError, match="a run twice"):
        mirrored_once(scene, 3, settings)
    client.delete_run(again.info.run_id)
    client.delete_run(child.info.run_id)
    with pytest.raises(AssertionError, match="best runs"):
        mirrored_once(scene, 3, settings, patience_s=0.5)

    tags = {tracking.SCENE_TAG: str(scene.scene_id)}
    client.create_run(experiment.experiment_id, tags=tags)
    with pytest.raises(AssertionError, match="the scene 2 times"):
        mirrored_once(scene, 3, settings)
    other = parse_scene({**GRID, "scene_id": str(uuid4())})
    with pytest.raises(AssertionError, match="has the scene"):
        mirrored_once(other, 3, settings, patience_s=0.5)


@pytest.mark.integration
def test_a_scene_that_had_to_be_refused_is_held_to_account(settings: Settings) -> None:
    since = datetime.now(UTC)
    document = {**ONE, "scene_id": str(uuid4()), "instruments": ["binance:NOSUCHCOIN"]}
    scene, body = parse_scene(document), orjson.dumps(document)
    message = SceneMessage(body, MessagePosition(SCENES, 0, 7))
    with Publisher(settings.kafka) as publisher:
        plan_scenes([message], settings, publisher)
    refused_whole(scene, said(REFUSED), settings)
    letters_name_only([scene], since, settings)

    for history in ([], said(REFUSED, PLANNED), said(FINISHED)):
        with pytest.raises(AssertionError):
            refused_whole(scene, history, settings)
    with pytest.raises(AssertionError, match=r"mela\.scenes was refused"):
        letters_name_only([], since, settings)
    with pytest.raises(AssertionError, match="no letter"):
        letters_name_only([scene, finished(settings)], since, settings)
    with pytest.raises(AssertionError):
        refused_whole(finished(settings), said(REFUSED), settings)

    with Publisher(settings.kafka) as publisher:
        odd = SceneInvalid(RejectionCode.INVALID_FIELD, None, "a chunk of a good scene")
        publisher.rejected(b"{}", MessagePosition(RUNS, 0, 0), odd)
    with pytest.raises(AssertionError, match=r"mela\.runs was refused"):
        letters_name_only([scene], since, settings)


@pytest.mark.integration
def test_answers_that_were_not_sent_or_sent_otherwise_are_noticed(settings: Settings) -> None:
    since, scene = datetime.now(UTC), finished(settings)
    rows = answers(scene.scene_id, settings)
    stored = {str(scene.scene_id): rows}
    send(settings, rows[:2])
    with pytest.raises(AssertionError, match="1 answers were never sent"):
        sent_whole(stored, since, settings)

    send(settings, computed(scene, settings))  # the first two again, which is allowed
    sent_whole(stored, since, settings)

    send(settings, [{**rows[0], "sharpe": 9.0}])
    with pytest.raises(AssertionError, match="sent otherwise"):
        sent_whole(stored, since, settings)


def computed(scene: Scene, settings: Settings) -> list[dict[str, Any]]:
    """Return the results of a scene as the query `run` spells them."""
    catalogue = strategies.current(settings)
    runs = tuple(plan_runs(scene, catalogue, max_runs=10).expand())
    chunk = RunChunk(str(scene.scene_id), 0, runs)
    return documents_of(Desk(settings, catalogue).answers(chunk))


def send(settings: Settings, documents: Sequence[dict[str, Any]]) -> None:
    with Publisher(settings.kafka) as publisher:
        for one in documents:
            publisher.result(one["scene_id"], one["run_key"], orjson.dumps(one))
