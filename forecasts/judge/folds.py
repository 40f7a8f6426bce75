"""Forecasts out of fold: each sample by a model that was fitted without it, and their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from forecasts.fitting import Trained, fit_split, target_of
from forecasts.judge.scores import auc, brier, ic, rank_ic
from forecasts.labels import is_class
from forecasts.splits import Split
from mela.training import ModelChoice, Training

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldScore:
    """The scores of one fold's forecasts; auc and brier are NaN if the label is a number.

    ic, rank_ic: against the label, of a class against the return that it stands for
    """

    fold: int
    seed: int
    samples: int
    ic: float
    rank_ic: float
    auc: float
    brier: float


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """One model, one seed. forecast: (m,) float64, NaN where no fold tests; the mean of several."""

    choice: ModelChoice
    seed: int
    forecast: Float
    folds: tuple[FoldScore, ...]
    importance: Float | None = None

    def mean(self, score: str) -> float:
        """Return the mean of a score over the folds, NaN where one is undefined."""
        return float(np.mean([getattr(fold, score) for fold in self.folds]))


def out_of_fold(
    training: Training,
    dataset: Dataset,
    splits: Sequence[Split],
    choice: ModelChoice,
    seed: int,
    *,
    shuffled: bool = False,
    with_importance: bool = False,
) -> OutOfFold:
    """Fit a model on each split and forecast its test part.

    shuffled: train on labels in another order, as a control
    with_importance: measure how much the rank IC falls where a feature is put in another order
    """
    total, count = np.zeros(len(dataset)), np.zeros(len(dataset))
    scores: list[FoldScore] = []
    falls: list[Float] = []
    for fold, split in enumerate(splits):
        trained = fit_split(training, dataset, split, choice, seed, shuffled=shuffled)
        test = dataset.take(split.test)
        forecast = trained.predict(test)
        total[split.test] += forecast
        count[split.test] += 1
        scores.append(_score(training, test, forecast, fold, seed))
        if with_importance:
            falls.append(_importance(training, test, trained, scores[-1].rank_ic, seed))
    with np.errstate(invalid="ignore"):  # 0 / 0 where no fold tests
        whole = total / count
    importance = np.mean(falls, axis=0) if falls else None
    return OutOfFold(choice, seed, whole, tuple(scores), importance)


def outcome_of(training: Training, dataset: Dataset) -> Float:
    """Return what forecasts are compared with: the label, or of a class the return."""
    return dataset.returns if is_class(training.label) else dataset.y


def _score(training: Training, test: Dataset, forecast: Float, fold: int, seed: int) -> FoldScore:
    outcome = outcome_of(training, test)
    happened = target_of(training, test.y)
    classes = is_class(training.label)
    return FoldScore(
        fold,
        seed,
        len(test),
        ic(forecast, outcome),
        rank_ic(forecast, outcome),
        auc(forecast, happened) if classes else math.nan,
        brier(forecast, happened) if classes else math.nan,
    )


def _importance(
    training: Training, test: Dataset, trained: Trained, score: float, seed: int
) -> Float:
    """Return how much the rank IC falls for each feature of which samples are exchanged, (k,).

    Source: Breiman, "Random Forests", Machine Learning 45 (2001), section 10.
    """
    rng = np.random.default_rng(seed)
    outcome = outcome_of(training, test)
    falls = np.empty(test.x.shape[1])
    for column in range(len(falls)):
        x = test.x.copy()
        x[:, column] = rng.permutation(x[:, column])
        forecast = trained.fitted.predict(trained.prepared.apply(x, test.instrument))
        other = rank_ic(forecast, outcome)
        falls[column] = score - (0.0 if math.isnan(other) else other)
    return falls
