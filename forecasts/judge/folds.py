"""Forecasts out of fold: each sample by a model that was fitted without it, and their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from forecasts.fitting import Trained, fit_split, target_of
from forecasts.judge.checkpoint import Checkpoint, FoldScore, Part
from forecasts.judge.scores import auc, brier, ic, rank_ic
from forecasts.labels import is_class
from forecasts.splits import Split
from mela.training import ModelChoice, Training

Float = NDArray[np.float64]


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
    checkpoint: Checkpoint,
    *,
    shuffled: bool = False,
    with_importance: bool = False,
) -> OutOfFold:
    """Fit a model on each split and forecast its test part.

    checkpoint: gives folds that were done before
    shuffled: train on labels in another order, as a control
    with_importance: measure how much the rank IC falls where a feature is put in another order
    """
    total, count = np.zeros(len(dataset)), np.zeros(len(dataset))
    parts: list[Part] = []
    for fold, split in enumerate(splits):

        def compute(fold: int = fold, split: Split = split) -> Part:
            trained = fit_split(training, dataset, split, choice, seed, shuffled=shuffled)
            test = dataset.take(split.test)
            forecast = trained.predict(test)
            score = _score(training, test, forecast, fold, seed)
            if not with_importance:
                return Part(score, forecast)
            falls = _importance(training, test, trained, score.rank_ic, seed)
            return Part(score, forecast, falls)

        asked = {"choice": choice.model_dump(mode="json"), "seed": seed, "fold": fold}
        asked |= {"shuffled": shuffled, "importance": with_importance}
        parts.append(checkpoint.part(asked, compute))
        total[split.test] += parts[-1].forecast
        count[split.test] += 1
    with np.errstate(invalid="ignore"):  # 0 / 0 where no fold tests
        whole = total / count
    falls = [part.importance for part in parts if part.importance is not None]
    importance = np.mean(falls, axis=0) if falls else None
    return OutOfFold(choice, seed, whole, tuple(part.score for part in parts), importance)


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
