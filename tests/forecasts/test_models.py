"""Each kind of model finds what is there, finds nothing where nothing is, and is exported whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecasts.artifact import Facts, Model, artifact, sha_of
from forecasts.features import FeatureSet
from forecasts.fitting import Trained, fit_split, fit_whole
from forecasts.judge.checkpoint import Checkpoint, InMemory
from forecasts.judge.folds import out_of_fold
from forecasts.models.catalogue import MODELS
from forecasts.models.definition import chosen
from forecasts.splits import Split, make_splits
from mela.errors import InputInvalid, SceneInvalid
from mela.training import ModelChoice, Training
from tests.forecasts.planted import planted, planted_training

COUNT = 60_000
NUMBERS = sorted(name for name, one in MODELS.items() if one.numbers)
CLASSES = sorted(name for name, one in MODELS.items() if one.classes)
EACH = [(name, False) for name in NUMBERS] + [(name, True) for name in CLASSES]
FEW: dict[str, dict[str, Any]] = {"random_forest": {"trees": 30, "leaf": 200}}


def choice_of(name: str) -> ModelChoice:
    return ModelChoice(name=name, params=FEW.get(name, {}))


def training_of(classes: bool) -> Training:
    kind = "forward_sign" if classes else "forward_return"
    return planted_training(label={"kind": kind, "horizon": 4})


def test_the_catalogue_has_what_the_pages_promise() -> None:
    assert sorted(MODELS) == ["lightgbm", "logistic", "random_forest", "ridge", "xgboost"]


@pytest.mark.parametrize(("name", "classes"), EACH)
def test_a_planted_signal_is_found_and_a_shuffled_one_is_not(name: str, classes: bool) -> None:
    """IC 0.05 is what the field calls a good one. 0.013 is two standard errors of the test part."""
    training = training_of(classes)
    dataset = planted(COUNT, 0.05, classes=classes)
    splits = make_splits(dataset, training.splits, training.interval)

    parts = Checkpoint(InMemory(), training, dataset)
    found = out_of_fold(training, dataset, splits, choice_of(name), 1, parts).folds[0]
    control = out_of_fold(
        training, dataset, splits, choice_of(name), 1, parts, shuffled=True
    ).folds[0]

    assert found.ic > 0.02
    assert abs(control.ic) < 0.02
    if classes:
        assert found.auc > 0.51
        # a coin has 0.25 and the best forecast of so weak a signal 0.2496: it tells them not apart
        assert 0.249 < found.brier < 0.251


def facts_of(training: Training, trained: Trained) -> Facts:
    features = FeatureSet(training.features)
    return Facts(
        training=training.model_dump(mode="json"),
        names=features.names,
        features_digest=features.digest,
        instruments=trained.prepared.instruments,
        revisions={"test:A": 3, "test:B": None},
        seed=1,
        trained_through_ms=trained.prepared.trained_through_ms,
        label_span_ms=4 * 3_600_000,
        embargo_ms=0,
    )


def model_of(training: Training, trained: Trained) -> Model:
    content = artifact(trained.prepared, trained.fitted.form, facts_of(training, trained))
    return Model(content, sha_of(content))


@pytest.mark.parametrize(("name", "classes"), EACH)
def test_the_graph_gives_what_the_pipeline_gives_for_any_number_of_samples(
    name: str, classes: bool
) -> None:
    training = training_of(classes)
    dataset = planted(4_000, 0.2, classes=classes)
    trained = fit_whole(training, dataset, choice_of(name), 1)
    model = model_of(training, trained)

    whole = trained.predict(dataset)
    served = model.ask(dataset.x, dataset.instrument)

    for count in (1, 2, 32, len(dataset)):
        part = dataset.take(np.arange(count))
        given = model.ask(np.ascontiguousarray(part.x), part.instrument)
        assert given.shape == (count,)
        np.testing.assert_allclose(given, whole[:count], rtol=0, atol=1e-5)
        assert np.array_equal(given, served[:count])  # the same sample in whatever company
    assert np.unique(whole).size > 30  # forecasts that are all alike would be equal too


@pytest.mark.parametrize("name", NUMBERS)
def test_the_same_seed_gives_the_same_file_and_another_seed_another_forest(name: str) -> None:
    training, dataset = training_of(False), planted(2_000, 0.2)
    fits = [fit_whole(training, dataset, choice_of(name), seed) for seed in (1, 1, 2)]
    first, again, other = (
        sha_of(artifact(one.prepared, one.fitted.form, facts_of(training, fits[0]))) for one in fits
    )

    assert first == again
    assert (first != other) == MODELS[name].seeded


def test_an_instrument_that_was_not_trained_is_forecast_as_none_of_those() -> None:
    training, dataset = training_of(False), planted(2_000, 0.2)
    trained = fit_whole(training, dataset, choice_of("ridge"), 1)
    model = model_of(training, trained)
    x = dataset.x[:3].copy()
    x[1, 2] = np.nan

    found = model.predict(x, "test:NEW")

    unknown = np.full(3, -1, np.int64)
    expected = trained.fitted.predict(trained.prepared.apply(dataset.x[:3], unknown))
    np.testing.assert_allclose(found[[0, 2]], expected[[0, 2]], atol=1e-12)
    assert np.isnan(found[1])


def test_a_file_that_was_changed_is_refused() -> None:
    training, dataset = training_of(False), planted(500, 0.2)
    trained = fit_whole(training, dataset, choice_of("ridge"), 1)
    content = artifact(trained.prepared, trained.fitted.form, facts_of(training, trained))
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1

    with pytest.raises(InputInvalid, match="changed after it was registered"):
        Model(bytes(changed), sha_of(content))
    with pytest.raises(InputInvalid, match="no model of"):
        Model(b"no graph", sha_of(b"no graph"))


def test_features_of_other_code_are_refused() -> None:
    training, dataset = training_of(False), planted(500, 0.2)
    trained = fit_whole(training, dataset, choice_of("ridge"), 1)
    facts = facts_of(training, trained)
    other = Facts(**{**vars(facts), "features_digest": "0" * 64})
    content = artifact(trained.prepared, trained.fitted.form, other)

    with pytest.raises(InputInvalid, match="features of other code"):
        _ = Model(content, sha_of(content)).features


def test_a_model_is_fitted_on_its_training_part_alone() -> None:
    training, dataset = training_of(False), planted(2_000, 0.2)
    train, test = np.arange(1_000), np.arange(1_000, 2_000)
    split = Split(train, test, (0,), 0, 0)
    changed = planted(2_000, 0.2)
    changed.x[test] = 1e6
    changed.y[test] = -1e6

    for name in NUMBERS:
        here = fit_split(training, dataset, split, choice_of(name), 1)
        there = fit_split(training, changed, split, choice_of(name), 1)
        part = dataset.take(train)
        assert np.array_equal(here.predict(part), there.predict(part))


@pytest.mark.parametrize(
    ("choice", "classes", "sentence"),
    [
        (ModelChoice(name="logistic"), False, "logistic learns classes, but the label is a number"),
        (ModelChoice(name="ridge"), True, "ridge learns numbers, but the label is a class"),
        (ModelChoice(name="ridgee"), False, "no model is called 'ridgee'"),
        (ModelChoice(name="xgboost", params={"depth": 0}), False, "greater than or equal to 1"),
    ],
)
def test_a_model_that_cannot_be_fitted_is_refused(
    choice: ModelChoice, classes: bool, sentence: str
) -> None:
    with pytest.raises(SceneInvalid, match=sentence):
        chosen(choice, classes=classes)
