"""A model as the strategy `forecast`: one prediction for a grid, the same in a run of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from backtests.lookahead.check import check
from backtests.simulate import run_all
from forecasts.artifact import Model
from forecasts.strategy import IN_SAMPLE, NAME, strategies_of
from forecasts.train import Finished
from mela.errors import InputInvalid
from mela.fields import Part
from mela.instants import from_ms
from mela.interval import Interval
from mela.run import Run
from mela.settings import Settings
from services.models import models
from tests.conftest import typed
from tests.forecasts.test_judge import momentum
from tests.forecasts.test_leaks import ScalesByEverything
from tests.forecasts.test_registry import OF_MLFLOW, PACKAGED, REPOSITORY, trained

pytestmark = pytest.mark.filterwarnings(OF_MLFLOW)

LONG = momentum(0.3)


class Counted(Model):
    """A model that counts how often it is asked."""

    asked = 0

    def ask(self, x: Any, places: Any) -> Any:
        self.asked += 1
        return super().ask(x, places)


@pytest.fixture(scope="module")
def finished() -> Finished:
    return trained(end="2023-04-01")


@pytest.fixture
def model(finished: Finished) -> Counted:
    return Counted(finished.content, finished.sha)


def run_of(enter: float, start_ms: int) -> Run:
    end = from_ms(int(LONG.opened_ms[-1]) + 3_600_000)
    params = {"enter": enter, "leave": -enter}
    return Run("", "test:A", Interval.H1, from_ms(start_ms), end, "forecast", params, 64)


def test_a_grid_asks_once_and_finds_what_each_run_finds_alone(model: Counted) -> None:
    start = model.facts.unseen_from_ms
    runs = [run_of(enter, start) for enter in np.linspace(0.0, 0.004, 20)]

    together = list(run_all(LONG, runs, catalogue=strategies_of(model)))
    asked = model.asked
    alone = [next(run_all(LONG, [run], catalogue=strategies_of(model))) for run in runs]

    assert asked == 1
    assert [repr(one.metrics) for one in together] == [repr(one.metrics) for one in alone]
    assert len({one.metrics and one.metrics.trades for one in together}) > 5


def test_a_run_that_begins_in_what_the_model_learned_is_marked(model: Counted) -> None:
    """To the millisecond: its last label, plus the label's span, plus the embargo."""
    unseen = model.facts.unseen_from_ms
    catalogue = strategies_of(model)

    before = next(run_all(LONG, [run_of(0.0, unseen - 3_600_000)], catalogue=catalogue))
    after = next(run_all(LONG, [run_of(0.0, unseen)], catalogue=catalogue))

    assert IN_SAMPLE in before.warnings
    assert IN_SAMPLE not in after.warnings
    learned = from_ms(model.facts.trained_through_ms)
    assert from_ms(unseen) - learned == timedelta(milliseconds=model.facts.label_span_ms)


def test_it_does_not_look_ahead(model: Counted) -> None:
    strategy = strategies_of(model)[NAME]
    few = LONG.span(int(LONG.opened_ms[0]), int(LONG.opened_ms[250]), 0)

    found = check(few, strategy, {"enter": 0.0005}, instrument="test:A", budget=20)

    assert not found.differences


def test_a_model_is_not_asked_on_candles_of_another_interval(model: Counted) -> None:
    other = replace(LONG, interval=Interval.M15)
    run = replace(run_of(0.0, model.facts.unseen_from_ms), interval=Interval.M15)

    found = next(run_all(other, [run], catalogue=strategies_of(model)))

    assert found.status == "failed"
    assert found.error
    assert "expected 1h candles, which the model was trained on" in found.error[1]


def test_another_model_is_another_strategy_to_a_result(finished: Finished) -> None:
    def digest_of(made: Finished) -> str:
        return strategies_of(Model(made.content, made.sha))[NAME].digest

    other = trained(label={"kind": "forward_return", "horizon": 3}, end="2023-04-01")

    assert digest_of(finished) == digest_of(finished)
    assert digest_of(other) != digest_of(finished)


def test_the_same_candle_is_forecast_the_same_in_any_span(model: Counted) -> None:
    """What other programs get wrong: the window changed, and so did the numbers of one day."""
    whole = model.predict(model.features.compute(LONG, "test:A"), "test:A")
    part = LONG.span(int(LONG.opened_ms[2_000]), int(LONG.opened_ms[2_500]), 64)
    begin = 2_000 - 64

    some = model.predict(model.features.compute(part, "test:A"), "test:A")

    known = ~np.isnan(some)
    assert known.sum() > 500
    assert np.array_equal(some[known], whole[begin : begin + len(some)][known])


def test_a_class_is_traded_by_its_probability() -> None:
    made = trained(
        label={"kind": "forward_sign", "horizon": 1}, model={"name": "logistic"}, end="2023-04-01"
    )
    model = Model(made.content, made.sha)
    catalogue = strategies_of(model)
    params: type[Part] = catalogue[NAME].params

    def trades(**given: float) -> int:
        run = replace(run_of(0.0, model.facts.unseen_from_ms), params=given)
        found = next(run_all(LONG, [run], catalogue=catalogue)).metrics
        assert found is not None
        return found.trades

    assert trades() == trades(enter=0.5, leave=0.5) > trades(enter=0.6, leave=0.5)
    with pytest.raises(ValidationError, match="expected 0 to 1, as the model forecasts the prob"):
        params(enter=1.5)


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("nowhere.onnx", "cannot be read: No such file"),
        ("models:/first", "expected models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_a_reference_to_nothing_is_explained(
    reference: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputInvalid, match=sentence):
        models.reference_of(reference, Settings(home=tmp_path))


def test_a_scene_asks_a_model_of_a_file(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    document |= {
        "seeds": [1],
        "start": "2022-02-01",
        "end": "2022-06-01",
        "model": {"name": "ridge"},
    }
    training = tmp_path / "training.json"
    training.write_text(json.dumps(document))
    files = ("--candles", str(PACKAGED))
    done = typed("model", "train", str(training), *files, "--out", str(tmp_path), home=tmp_path)
    assert done.returncode == 0, done.stderr
    scene = {
        "schema_version": 1,
        "name": "a model",
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2022-05-01T00:00:00Z",
        "end": "2022-09-01T00:00:00Z",
        "strategy": {"name": "forecast", "params": {"enter": 0.001}},
    }
    file = tmp_path / "scene.json"

    def backtest(start: str) -> list[dict[str, Any]]:
        file.write_text(json.dumps(scene | {"start": start}))
        model = ("--model", str(tmp_path / "model.onnx"), "--json")
        found = typed("backtest", str(file), *files, *model, home=tmp_path)
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)

    (seen,), (unseen,) = backtest("2022-05-01T00:00:00Z"), backtest("2022-06-08T00:00:00Z")

    assert IN_SAMPLE in seen["warnings"]
    assert IN_SAMPLE not in unseen["warnings"]
    assert unseen["trades"] > 0
    without = typed("backtest", str(file), *files, home=tmp_path)
    assert without.returncode == 1
    assert "strategy.params.model: this field is required" in without.stderr


def test_the_command_finds_no_leak_in_the_first_training_and_one_that_is_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    training = tmp_path / "training.json"
    training.write_text(json.dumps(document | {"start": "2022-02-01", "end": "2022-05-01"}))
    words = ("model", "check", str(training), "--candles", str(PACKAGED))

    clean = typed(*words, home=tmp_path)
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout.startswith("clean: ")

    monkeypatch.setattr("forecasts.recipe.TrainingRecipe", ScalesByEverything)
    leaky = typed(*words, home=tmp_path)
    assert leaky.returncode == 1
    assert leaky.stdout.startswith("fitted_on_test: in split 0 training features change")
