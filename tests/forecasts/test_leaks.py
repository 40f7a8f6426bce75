"""Planted leaks are found, each for what it is; the pipeline as it is has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forecasts.dataset import Dataset
from forecasts.leaks import Float, LeakReport, Recipe, check_leaks
from forecasts.pipeline import fit_whole
from forecasts.recipe import TrainingRecipe
from forecasts.splits import Split
from mela.candles import Candles
from mela.interval import Interval
from mela.training import Preparation
from mela.verdict import Verdict
from tests.forecasts.made import market
from tests.forecasts.trainings import training


class ScalesByEverything(TrainingRecipe):
    """Fits its scaler before it splits."""

    def prepare(self, dataset: Dataset, split: Split) -> tuple[Float, Float]:
        prepared = fit_whole(Preparation(), dataset)
        rows = (split.train, split.test)
        train, test = (prepared.apply(dataset.x[one], dataset.instrument[one]) for one in rows)
        return train, test


class DoesNotPurge(TrainingRecipe):
    """Trains up to the test's first candle, whatever its labels span."""

    def splits(self, dataset: Dataset) -> Sequence[Split]:
        return [replace(split, train=np.arange(split.test[0])) for split in super().splits(dataset)]


class PurgesOneSample(TrainingRecipe):
    """Purges one sample, where labels span four candles of two instruments."""

    def splits(self, dataset: Dataset) -> Sequence[Split]:
        return [
            replace(split, train=np.arange(split.test[0] - 1)) for split in super().splits(dataset)
        ]


class StatesShorterSpans(TrainingRecipe):
    """Says that labels are known a candle early, so that purging purges too little."""

    def dataset(self, candles: Mapping[str, Candles]) -> Dataset:
        found = super().dataset(candles)
        return replace(found, until_ms=found.until_ms - 3_600_000)


class Shuffles(TrainingRecipe):
    """Draws its test samples over the whole time, as scikit-learn's split does."""

    def splits(self, dataset: Dataset) -> Sequence[Split]:
        drawn = np.random.default_rng(3).permutation(len(dataset))
        third = len(dataset) // 3
        return [Split(np.sort(drawn[third:]), np.sort(drawn[:third]), (0,), 0, 0)]


class EncodesByAllLabels(TrainingRecipe):
    """Encodes an instrument by the mean label of all its samples, those of the test included."""

    def prepare(self, dataset: Dataset, split: Split) -> tuple[Float, Float]:
        train, test = super().prepare(dataset, split)
        means = np.array([dataset.y[dataset.instrument == place].mean() for place in (0, 1)])
        parts = [(train, split.train), (test, split.test)]
        first, second = (
            np.column_stack([one, means[dataset.instrument[rows]]]) for one, rows in parts
        )
        return first, second


class KnowsTheDayEarly(TrainingRecipe):
    """Joins days by their opening, so that each candle knows how its own day ends."""

    def dataset(self, candles: Mapping[str, Candles]) -> Dataset:
        found = super().dataset(candles)
        x = found.x.copy()
        for place, name in enumerate(found.instruments):
            rows = np.flatnonzero(found.instrument == place)
            days = candles[name].inputs[name, Interval.D1]
            opened = candles[name].opened_ms[found.bar[rows]]
            day = np.searchsorted(days.opened_ms, opened, side="right") - 1
            x[rows, 5] = np.log(days.close[day] / days.open[day])
        return replace(found, x=x)


class CentresItsMean(TrainingRecipe):
    """Smooths a feature with the candles on both sides."""

    def dataset(self, candles: Mapping[str, Candles]) -> Dataset:
        found = super().dataset(candles)
        x = found.x.copy()
        for place in range(len(found.instruments)):
            rows = np.flatnonzero(found.instrument == place)
            x[rows, 0] = np.convolve(x[rows, 0], np.ones(3) / 3, mode="same")
        return replace(found, x=x)


SPLITS: tuple[dict[str, Any], ...] = (
    {"kind": "walk_forward", "folds": 3},
    {"kind": "combinatorial", "groups": 4, "test_groups": 2, "embargo": "6h"},
)
PLANTED = {
    ScalesByEverything: {"fitted_on_test"},
    DoesNotPurge: {"label_overlap"},
    PurgesOneSample: {"label_overlap"},
    StatesShorterSpans: {"label_overlap"},
    Shuffles: {"shuffled", "label_overlap"},
    EncodesByAllLabels: {"target_of_test"},
    KnowsTheDayEarly: {"late_information"},
    CentresItsMean: {"late_information"},
}


def check(recipe: type[TrainingRecipe], seed: int = 1, **changes: Any) -> LeakReport:
    candles = market(320, seed, gaps=seed % 2 == 1)
    asked: Recipe = recipe(training(**changes))
    return check_leaks(asked, candles, seed=seed)


@pytest.mark.parametrize("recipe", PLANTED, ids=lambda recipe: recipe.__name__)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_planted_leak_is_found(recipe: type[TrainingRecipe], seed: int) -> None:
    report = check(recipe, seed)
    assert {leak.kind for leak in report.leaks} == PLANTED[recipe], report
    assert report.verdict is Verdict.FOUND


@pytest.mark.parametrize("splits", SPLITS, ids=lambda one: one["kind"])
@pytest.mark.parametrize("encoding", ["none", "one_hot", "target"])
@pytest.mark.parametrize(
    "label",
    [
        {"kind": "forward_sign", "horizon": 3},
        {"kind": "triple_barrier", "horizon": 6, "window": 12},
        {"kind": "volatility_scaled", "horizon": 2, "window": 12},
    ],
    ids=lambda one: one["kind"],
)
def test_the_pipeline_has_no_leak(
    splits: dict[str, Any], encoding: str, label: dict[str, Any]
) -> None:
    preparation = {"instrument": encoding, "select": 4}
    for seed in (1, 2):
        report = check(TrainingRecipe, seed, splits=splits, label=label, preparation=preparation)
        assert report.leaks == ()
        assert report.verdict is Verdict.CLEAN
        assert report.cuts == 8


def test_a_leak_says_where_and_what_helps() -> None:
    (leak,) = check(KnowsTheDayEarly).leaks
    assert "higher_returns" in leak.sentence
    assert "2023-01" in leak.sentence
    (leak,) = check(DoesNotPurge).leaks
    assert "Purge by the spans" in leak.sentence
