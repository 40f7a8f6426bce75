"""Models that scenes name: pinned when planned, executed without MLflow, whoever is promoted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from forecasts import registry
from forecasts.strategy import IN_SAMPLE
from mela.errors import RejectionCode, SourceUnavailable
from mela.messages import SCENES, MessagePosition, RunChunk, read_chunk
from mela.settings import REPOSITORY, Settings
from services.models import model_record
from services.tracking.mlflow_client import client_of
from streaming import strategies
from streaming.plan import SceneMessage, plan_scenes
from streaming.run import Desk
from tests.forecasts.test_registry import OF_MLFLOW, trained
from tests.streaming.answered import documents_of
from tests.streaming.test_admission import Said
from tests.warehouse.given import NAME, answer, load, rows
from warehouse.database import transaction
from warehouse.results import finder as results

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings(OF_MLFLOW)]
BEGIN = datetime(2023, 4, 20, tzinfo=UTC)
HOURS = 1_000
CHAMPION = "models:/first@champion"
SCENE: dict[str, Any] = {
    "schema_version": 1,
    "instruments": [NAME],
    "interval": "1h",
    "start": "2023-05-01T00:00:00Z",
    "end": "2023-05-20T00:00:00Z",
    "strategy": {"name": "forecast", "params": {"model": CHAMPION}},
    "search": {"kind": "grid", "space": {"strategy.params.enter": [0.0, 0.0005, 0.001]}},
}


@pytest.fixture(scope="module")
def made() -> list[Any]:
    """Two models: what begins in May is new to the first, and the second was taught it."""
    return [trained(end="2023-04-01"), trained(end="2023-06-01")]


@pytest.fixture
def settings(
    warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[Any]
) -> Settings:
    """A warehouse with candles, a disk without models, and an MLflow with two versions of one."""
    monkeypatch.chdir(tmp_path)  # where it puts artifacts
    steps = np.random.default_rng(5).normal(0.0, 0.004, HOURS)
    load(warehouse, answer(100.0 * np.exp(np.cumsum(steps)), start=BEGIN), BEGIN)
    mlflow = {"url": f"sqlite:///{tmp_path}/mlflow.db", "user": ""}
    changed = {"mlflow": warehouse.mlflow.model_copy(update=mlflow), "cache": tmp_path / "cache"}
    settings = warehouse.model_copy(update=changed)
    for one in made:
        registry.register(client_of(settings), one)
    return settings


def without_mlflow(settings: Settings) -> Settings:
    """Return what a process has that executes strategies, while MLflow is away."""
    nowhere = settings.mlflow.model_copy(update={"url": "http://127.0.0.1:9"})
    return settings.model_copy(update={"mlflow": nowhere}).for_strategies()


class Sent(Said):
    """A publisher that keeps chunks too. fails: the broker is away when one is to be sent."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.chunks: list[RunChunk] = []
        self.fails = fails

    def chunk(self, chunk: RunChunk) -> None:
        if self.fails:
            raise SourceUnavailable("Kafka is away")
        self.chunks.append(chunk)

    @property
    def models(self) -> set[str]:
        return {run.params["model"] for chunk in self.chunks for run in chunk.runs}


def asked(scene_id: UUID | None = None, **change: Any) -> SceneMessage:
    document = {**SCENE, **change, "scene_id": str(scene_id or uuid4())}
    return SceneMessage(json.dumps(document).encode(), MessagePosition(SCENES, 0, 1))


def planned(settings: Settings, message: SceneMessage) -> Sent:
    sent = Sent()
    publisher: Any = sent
    plan_scenes([message], settings, publisher)
    return sent


def executed(sent: Sent, settings: Settings) -> list[dict[str, Any]]:
    """Execute what was sent, as a worker does, and store it."""
    mine = without_mlflow(settings)
    catalogue = strategies.current(mine).with_failing()
    found: list[dict[str, Any]] = []
    for chunk in sent.chunks:
        answers = list(Desk(mine, catalogue).answers(read_chunk(chunk.to_bytes(), catalogue)))
        with transaction(settings) as connection:
            assert results.save_columns(connection, answers) == []
        found += documents_of(answers)
    return found


def stored(settings: Settings, *keys: str) -> list[Any]:
    listed = list(keys)
    return rows(
        settings,
        "SELECT * FROM ops.result WHERE result_key = ANY(:keys) ORDER BY result_key",
        keys=listed,
    )


def test_a_scene_runs_the_champion_of_its_planning_and_a_promotion_changes_no_result(
    settings: Settings, made: list[Any]
) -> None:
    first = planned(settings, asked())
    assert first.refused == []
    assert first.models == {f"models:/first/1#{made[0].sha}"}
    old = executed(first, settings)
    before = stored(settings, *(one["result_key"] for one in old))
    assert [one["status"] for one in old] == ["succeeded"] * 3
    assert {one["trades"] > 0 for one in old} == {True}
    assert all(IN_SAMPLE not in one["warnings"] for one in old)
    assert len(before) == 3

    registry.promote(client_of(settings), "first", 2)
    second = planned(settings, asked())
    assert second.models == {f"models:/first/2#{made[1].sha}"}
    new = executed(second, settings)

    assert all(IN_SAMPLE in one["warnings"] for one in new)
    assert not {one["result_key"] for one in old} & {one["result_key"] for one in new}
    assert stored(settings, *(one["result_key"] for one in old)) == before

    registry.promote(client_of(settings), "first", 1)
    assert planned(settings, asked()).chunks == []  # its answers are stored


def test_a_planner_that_was_killed_goes_on_with_the_model_that_it_had_pinned(
    settings: Settings, made: list[Any]
) -> None:
    message = asked(UUID(int=7))
    killed: Any = Sent(fails=True)
    with pytest.raises(SourceUnavailable):
        plan_scenes([message], settings, killed)
    registry.promote(client_of(settings), "first", 2)

    again = planned(without_secrets_of_mlflow(settings), message)

    assert again.models == {f"models:/first/1#{made[0].sha}"}
    assert again.said[-1].runs == 3
    assert planned(settings, message).chunks == []  # it is planned, and stays so
    [row] = rows(settings, "SELECT content, runs FROM ops.scene")
    assert row.content["strategy"]["params"]["model"] == f"models:/first/1#{made[0].sha}"
    assert row.runs == 3


def without_secrets_of_mlflow(settings: Settings) -> Settings:
    """Return settings whose MLflow is away: what was pinned needs it no more."""
    nowhere = settings.mlflow.model_copy(update={"url": "http://127.0.0.1:9"})
    return settings.model_copy(update={"mlflow": nowhere})


def test_a_search_goes_over_models_and_each_is_pinned_once(
    settings: Settings, made: list[Any]
) -> None:
    space = {"strategy.params.model": [CHAMPION, "models:/first/1", "models:/first/2"]}
    sent = planned(settings, asked(search={"kind": "grid", "space": space}))

    assert sent.models == {f"models:/first/{at + 1}#{one.sha}" for at, one in enumerate(made)}
    found = executed(sent, settings)
    assert [IN_SAMPLE in one["warnings"] for one in found] == [
        one["params"]["model"].startswith("models:/first/2") for one in found
    ]
    assert len({one["final_equity"] for one in found}) == 2


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        (
            {"strategy": {"name": "forecast", "params": {"model": "models:/frist@champion"}}},
            "strategy.params.model",
            "no model is called 'frist'; there are first",
        ),
        (
            {"strategy": {"name": "forecast", "params": {"model": "models:/first/9"}}},
            "strategy.params.model",
            "model first has no version '9'",
        ),
        (
            {"strategy": {"name": "forecast", "params": {"model": "first"}}},
            "strategy.params.model",
            "expected models:/NAME@ALIAS or models:/NAME/VERSION",
        ),
        (
            {"strategy": {"name": "forecast", "params": {"model": f"models:/first/1#{64 * '0'}"}}},
            "strategy.params.model",
            "MLflow has another of that name",
        ),
        (
            {"search": {"space": {"strategy.params.model": ["models:/first/1", "models:/x/1"]}}},
            "search.space.strategy.params.model",
            "no model is called 'x'",
        ),
        (
            {"search": {"space": {"strategy.params.enter": [0.0, 11.0]}}},
            "search.space.strategy.params.enter",
            "expected -10 to 10, as the model forecasts returns, but found 11",
        ),
        (
            {"strategy": {"name": "forecast"}},
            "strategy.params.model",
            "this field is required",
        ),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_by_its_field(
    settings: Settings, change: dict[str, Any], field: str, sentence: str
) -> None:
    said = planned(settings, asked(**change))

    [refused] = said.refused
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, field)
    assert sentence in refused.sentence
    assert said.chunks == []


def test_a_file_that_was_changed_in_the_store_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    run_id = client_of(settings).get_model_version("first", "1").run_id
    place = client_of(settings).get_run(run_id).info.artifact_uri.removeprefix("file://")
    file = Path(place) / "model" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"?")

    [refused] = planned(settings, asked()).refused
    assert refused.field == "strategy.params.model"
    assert "it was changed after it was registered" in refused.sentence
    assert not list((tmp_path / "cache").rglob("*.onnx"))


def test_while_mlflow_is_away_an_alias_means_what_the_warehouse_says(
    settings: Settings, made: list[Any]
) -> None:
    for one in made:
        model_record.register(settings, one)
    model_record.promote(settings, "first", 2)
    rows(settings, "DELETE FROM ops.scene RETURNING 1")

    sent = planned(without_secrets_of_mlflow(settings), asked())

    assert sent.refused == []
    assert sent.models == {f"models:/first/2#{made[1].sha}"}
    assert [one["status"] for one in executed(sent, settings)] == ["succeeded"] * 3


def test_while_mlflow_is_away_what_it_alone_may_know_is_refused_and_holds_nobody_up(
    settings: Settings, made: list[Any]
) -> None:
    model_record.register(settings, made[0])
    pruned = f"models:/first/2#{made[1].sha}"  # whose file nobody keeps
    lost = {"strategy": {"name": "forecast", "params": {"model": "models:/lost@champion"}}}
    gone = {"strategy": {"name": "forecast", "params": {"model": pruned}}}
    sent: Any = Sent()
    began = time.monotonic()

    messages = [asked(**lost), asked(**gone), asked(), asked(**lost)]
    plan_scenes(messages, without_secrets_of_mlflow(settings), sent)

    assert time.monotonic() - began < 20
    assert [one.code for one in sent.refused] == [RejectionCode.INVALID_FIELD] * 3
    assert {one.field for one in sent.refused} == {"strategy.params.model"}
    assert "records no model lost with the version or alias 'champion'" in sent.refused[0].sentence
    assert "no file of model models:/first/2#" in sent.refused[1].sentence
    assert sent.models == {f"models:/first/1#{made[0].sha}"}


def test_a_file_on_disk_that_was_changed_is_fetched_anew(
    settings: Settings, made: list[Any]
) -> None:
    sent = planned(settings, asked())
    file = settings.cache_folder / "models" / f"{made[0].sha}.onnx"
    assert file.read_bytes() == made[0].content
    file.write_bytes(b"something else")

    assert {one["status"] for one in executed(sent, settings)} == {"succeeded"}
    assert file.read_bytes() == made[0].content  # the warehouse's


def test_a_run_whose_model_is_gone_fails_and_says_why(settings: Settings, made: list[Any]) -> None:
    sent = planned(settings, asked())
    rows(settings, "DELETE FROM ops.model_file RETURNING sha256")
    (settings.cache_folder / "models" / f"{made[0].sha}.onnx").unlink()

    found = executed(sent, settings)

    assert [one["status"] for one in found] == ["failed"] * 3
    assert "nor in the warehouse" in found[0]["error"]["sentence"]


def test_a_worker_asks_a_model_with_its_runtime_alone(settings: Settings) -> None:
    """No library that models are fitted with, and not MLflow."""
    sent = planned(settings, asked())
    model = next(iter(sent.models))
    mine = without_mlflow(settings)
    code = (
        "import sys; from streaming import tasks, strategies; from mela.settings import Settings\n"
        "given = Settings.model_validate_json(sys.stdin.read())\n"
        "forecast = strategies.current(given)['forecast']\n"
        f"print(forecast.warmup({{'model': {model!r}}}))\n"
        "heavy = {'mlflow', 'onnx', 'sklearn', 'xgboost', 'lightgbm', 'torch'}\n"
        "print(*sorted(heavy & set(sys.modules)), 'onnxruntime' in sys.modules)"
    )
    postgres = mine.postgres.model_dump(mode="json")
    postgres["password"] = mine.postgres.password.get_secret_value()
    given = json.dumps({"home": str(mine.home), "cache": str(mine.cache), "postgres": postgres})

    found = subprocess.run(
        [sys.executable, "-c", code],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )

    assert found.returncode == 0, found.stderr
    assert found.stdout.split("\n")[:2] == ["3", "True"]
