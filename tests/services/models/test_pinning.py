"""Sessions whose strategy asks a model: pinned at the start, with no need of MLflow later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forecasts import registry
from forecasts.reference import parse_asked, parse_pinned, pinned_file
from forecasts.strategy import NAME
from live.build import runs_of
from mela.errors import InputInvalid, SceneInvalid
from mela.session import parse_session
from mela.settings import Settings
from services.strategies.all_strategies import all_strategies
from services.strategies.lookahead import kept
from services.tracking.mlflow_client import client_of
from services.trading import sessions
from tests.forecasts.test_registry import OF_MLFLOW, trained
from tests.services.trading.test_sessions import caller
from warehouse import model_files
from warehouse.database import transaction

SESSION: dict[str, Any] = {
    "name": "a model",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "strategy": {"name": "forecast", "params": {"model": "models:/first@champion"}},
}


@pytest.mark.parametrize(
    "reference", ["", "first", "models:/first", "models:/first@", "models:/a/b/c", "models:/a b@c"]
)
def test_what_names_no_version_is_no_reference(reference: str) -> None:
    with pytest.raises(InputInvalid, match="expected models:/NAME@ALIAS"):
        parse_asked(reference)


def test_a_pinned_reference_is_of_one_file() -> None:
    sha = "ab" * 32
    assert parse_pinned(f"models:/first/12#{sha}")[1:] == (sha, "first", 12)
    assert parse_pinned(pinned_file("a #/b.onnx", sha))[1:] == (sha, None, None)
    for other in (f"models:/first@champion#{sha}", f"models:/first/1#{sha[1:]}", "models:/first/1"):
        with pytest.raises(InputInvalid, match="with its SHA-256"):
            parse_pinned(other)


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A warehouse, and an MLflow with a model of two versions."""
    monkeypatch.chdir(tmp_path)  # where it puts artifacts
    mlflow = {"url": f"sqlite:///{tmp_path}/mlflow.db", "user": ""}
    changed = {"mlflow": warehouse.mlflow.model_copy(update=mlflow), "cache": tmp_path / "cache"}
    settings = warehouse.model_copy(update=changed)
    for horizon in (1, 2):
        label = {"kind": "forward_return", "horizon": horizon}
        registry.register(client_of(settings), trained(label=label))
    return settings


@pytest.mark.integration
@pytest.mark.filterwarnings(OF_MLFLOW)
def test_a_session_keeps_the_model_that_was_champion_when_it_was_started(
    settings: Settings, tmp_path: Path
) -> None:
    ann = caller(settings, "ann")
    first = registry.version(client_of(settings), "first")
    row = sessions.start(settings, ann, SESSION, confirm=None)
    registry.promote(client_of(settings), "first", 2)

    document = sessions.get_session(settings, ann, row.session_id).document
    pinned = f"models:/first/1#{first.sha}"
    assert document["strategy"]["params"] == {"model": pinned}
    with transaction(settings) as connection:
        assert model_files.is_kept(connection, first.sha)

    nowhere = settings.mlflow.model_copy(update={"url": "http://127.0.0.1:9"})
    trading = settings.model_copy(update={"mlflow": nowhere, "cache": tmp_path / "other machine"})
    catalogue = all_strategies(trading, asks_mlflow=False)
    [run] = runs_of(parse_session(document), 1_700_000_000_000, catalogue)
    assert run.params["model"] == pinned
    assert (tmp_path / "other machine" / "models" / f"{first.sha}.onnx").is_file()


@pytest.mark.integration
@pytest.mark.filterwarnings(OF_MLFLOW)
def test_a_session_whose_model_is_not_there_is_refused_by_its_field(settings: Settings) -> None:
    wrong = {**SESSION, "strategy": {"name": NAME, "params": {"model": "models:/first@nobody"}}}
    with pytest.raises(SceneInvalid, match="model first has no version 'nobody'") as refused:
        sessions.start(settings, caller(settings, "ann"), wrong, confirm=None)
    assert refused.value.field == "strategy.params.model"


@pytest.mark.integration
@pytest.mark.filterwarnings(OF_MLFLOW)
def test_forecast_is_checked_for_lookahead_with_the_model_that_was_named_last(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the stack starts in a process of its own."""
    from services.strategies import all_strategies as module
    from services.strategies import strategy_check

    catalogue = all_strategies(settings)
    digest = catalogue[NAME].digest
    monkeypatch.setattr(strategy_check, "Settings", lambda: settings)
    monkeypatch.setattr(strategy_check.signal, "alarm", lambda _: None)
    with pytest.raises(InputInvalid, match="no scene has named a model yet"):
        strategy_check.main(NAME, digest)

    sessions.start(settings, caller(settings, "ann"), SESSION, confirm=None)
    monkeypatch.setattr(module, "_forecast", None)  # as in a process that has just begun
    assert strategy_check.main(NAME, digest) == 0

    check = kept({NAME: catalogue[NAME]}, settings)[NAME]
    assert check.verdict == "clean", check
    assert check.coverage[0]["params"]["model"].startswith("models:/first/1#")
