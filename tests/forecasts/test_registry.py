"""Models in MLflow: versions, aliases, what they carry, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from forecasts import registry
from forecasts.artifact import Model, sha_of
from forecasts.train import Finished, train
from mela.errors import InputInvalid, NotFound
from mela.settings import Settings
from tests.conftest import typed
from tests.forecasts.test_judge import momentum, small

# MLflow's own tables use what SQLAlchemy 2.1 warns of
OF_MLFLOW = "ignore:The ``noload`` loader strategy"
pytestmark = pytest.mark.filterwarnings(OF_MLFLOW)
REPOSITORY = Path(__file__).parents[2]
PACKAGED = REPOSITORY / "replay" / "data" / "binance_BTCUSDT_1h.parquet"


@pytest.fixture(scope="module")
def finished() -> Finished:
    return trained()


def trained(**changes: Any) -> Finished:
    asked = small(**({"seeds": [1], "model": {"name": "ridge"}} | changes))
    return train(asked, {"test:A": momentum(0.3)}, revisions={"test:A 1h": 7})


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a client of a store of its own."""
    from mlflow.tracking import MlflowClient

    place = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as scope:
        scope.chdir(place)  # where MLflow puts artifacts of a store in a file
        yield MlflowClient(tracking_uri=f"sqlite:///{place}/mlflow.db")


def test_versions_are_registered_promoted_and_rolled_back(client: Any, finished: Finished) -> None:
    first = registry.register(client, finished)
    again = registry.register(client, finished)
    other = registry.register(client, trained(label={"kind": "forward_return", "horizon": 2}))

    assert (first.version, again.version, other.version) == (1, 1, 2)
    assert first.aliases == ("challenger", "champion")  # it was alone
    assert first.scores == {
        name: value for name, value in finished.scores.items() if value == value
    }
    for name, curve in finished.curves.items():
        drawn = client.get_metric_history(first.run_id, f"equity.{name}")
        assert [point.value for point in sorted(drawn, key=lambda one: one.step)] == curve.tolist()
    assert set(finished.curves) == {"model", "linear", "hold"}
    assert registry.version(client, "first").version == 1
    assert registry.version(client, "first", "challenger").version == 2

    now, before = registry.promote(client, "first", 2)
    assert (now.version, before and before.version) == (2, 1)
    assert registry.version(client, "first").version == 2

    back, _ = registry.promote(client, "first", 1)
    assert back.aliases == ("champion",)
    assert [one.version for one in registry.versions(client)] == [2, 1]
    assert len(registry.earlier_ratios(client, "test:A 1h")) == 2


def test_what_is_loaded_is_what_was_trained(client: Any, finished: Finished) -> None:
    one = registry.register(client, finished)

    model = registry.load(client, one)

    part = finished.dataset.take(np.arange(32))
    kept = Model(finished.content, finished.sha)
    assert np.array_equal(model.ask(part.x, part.instrument), kept.ask(part.x, part.instrument))
    assert model.facts == finished.facts
    assert model.facts.revisions == {"test:A 1h": 7}
    assert model.facts.trained_through_ms == finished.dataset.until_ms.max()
    assert registry.text_of(client, one, "card.md") == finished.card
    assert one.verdict == finished.report.partition("\n")[0]


def test_mlflow_knows_signature_and_example_and_finds_no_pickle(
    client: Any, finished: Finished
) -> None:
    one = registry.register(client, finished)
    from mlflow.models import Model as Described  # which warns where it is the first to be loaded

    run_id = client.get_model_version(one.name, str(one.version)).run_id
    files = {file.path for file in client.list_artifacts(run_id, "model")}
    described = Described.load(client.download_artifacts(run_id, "model"))

    assert "model/model.onnx" in files
    assert not [file for file in files if file.endswith((".pkl", ".pickle", ".joblib"))]
    assert [column.name for column in described.signature.inputs] == ["x", "instrument"]
    assert described.saved_input_example_info


def test_a_file_that_was_changed_in_the_store_is_refused(client: Any) -> None:
    one = registry.register(client, trained(name="changed"))
    run_id = client.get_model_version(one.name, str(one.version)).run_id
    place = client.get_run(run_id).info.artifact_uri.removeprefix("file://")
    file = Path(place) / "model" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))

    assert sha_of(bytes(content)) != one.sha
    with pytest.raises(InputInvalid, match="changed after it was registered"):
        registry.load(client, one)


def test_what_is_not_there_is_named(client: Any, finished: Finished) -> None:
    registry.register(client, finished)

    with pytest.raises(NotFound, match=r"no model is called 'frist'; there are .*first"):
        registry.version(client, "frist")
    with pytest.raises(NotFound, match=r"model first has no version '9'; it has .*1"):
        registry.version(client, "first", "9")


def variables(settings: Settings) -> dict[str, str]:
    """Return what leads a command to a warehouse."""
    where = settings.postgres
    return {
        "MELA_POSTGRES__HOST": where.host,
        "MELA_POSTGRES__PORT": str(where.port),
        "MELA_POSTGRES__USER": where.user,
        "MELA_POSTGRES__PASSWORD": where.password.get_secret_value(),
        "MELA_POSTGRES__DATABASE": where.database,
    }


def test_the_command_line_trains_into_a_folder_without_any_service(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    document |= {"seeds": [1], "start": "2022-02-01", "end": "2022-06-01"}
    file = tmp_path / "training.json"
    file.write_text(json.dumps(document))
    words = ("model", "train", str(file), "--candles", str(PACKAGED))

    done = typed(*words, "--out", str(tmp_path / "made"), "--follow", home=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("lightgbm ")
    assert "features and labels" in done.stderr
    content = (tmp_path / "made" / "model.onnx").read_bytes()
    assert sha_of(content) in done.stderr
    assert Model(content, sha_of(content)).facts.instruments == ("binance:BTCUSDT",)
    assert (tmp_path / "made" / "card.md").read_text().startswith("# first\n")


@pytest.mark.integration
def test_the_command_line_registers_lists_and_shows(warehouse: Settings, tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    document |= {"seeds": [1], "start": "2022-02-01", "end": "2022-05-01"}
    document |= {"model": {"name": "ridge"}}
    file = tmp_path / "training.json"
    file.write_text(json.dumps(document))
    settings = {"MELA_MLFLOW__URL": f"sqlite:///{tmp_path}/mlflow.db", **variables(warehouse)}

    def mela(*words: str) -> Any:
        with pytest.MonkeyPatch.context() as scope:
            scope.chdir(tmp_path)
            return typed("model", *words, home=tmp_path, settings=settings)

    done = mela("train", str(file), "--candles", str(PACKAGED))
    assert done.returncode == 0, done.stderr
    assert "models:/first/1, challenger and champion, SHA-256 " in done.stderr

    rows = json.loads(mela("list", "--json").stdout)
    assert [(row["name"], row["version"], row["kind"]) for row in rows] == [("first", 1, "ridge")]
    assert "This is the linear model itself" in mela("show", "first").stdout
    assert "has no version '7'" in mela("show", "first", "--version", "7").stderr


def test_a_training_that_names_no_model_is_refused_before_candles_are_read(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    file = tmp_path / "training.json"
    file.write_text(
        json.dumps(
            document | {"start": "2022-02-01", "end": "2022-06-01", "model": {"name": "forest"}}
        )
    )

    done = typed("model", "train", str(file), "--out", str(tmp_path), home=tmp_path)

    assert done.returncode == 1
    assert "model.name" in done.stderr
    assert "random_forest" in done.stderr
