"""From a training part to a fitted model: the only way to one, through `forecasts.pipeline`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasts import pipeline
from forecasts.dataset import Dataset
from forecasts.labels import is_class
from forecasts.models.catalogue import MODELS
from forecasts.models.definition import Fitted, Samples, chosen
from forecasts.pipeline import Prepared
from forecasts.splits import Split
from mela.errors import CandlesMissing
from mela.training import ModelChoice, Training

Float = NDArray[np.float64]
LINEAR = {False: "ridge", True: "logistic"}  # what every other model has to beat, by `is_class`


@dataclass(frozen=True, eq=False)
class Trained:
    """A model and what prepares its features, both learned of the same training part."""

    prepared: Prepared
    fitted: Fitted

    def predict(self, dataset: Dataset) -> Float:
        """Return the forecast of each sample, (m,) float64, as the library gives it."""
        return self.fitted.predict(self.prepared.apply(dataset.x, dataset.instrument))


def target_of(training: Training, y: Float) -> Float:
    """Return what a model learns: the label, or of a class whether it is the upper one, 1."""
    return (y == 1.0).astype(np.float64) if is_class(training.label) else y


def check_model(training: Training) -> None:
    """Refuse a model that there is not, or that cannot learn the label. Raises SceneInvalid."""
    chosen(training.model, classes=is_class(training.label))


def linear_choice(training: Training) -> ModelChoice:
    """Return the linear model of a training's label, at its defaults."""
    return ModelChoice(name=LINEAR[is_class(training.label)])


def is_seeded(choice: ModelChoice) -> bool:
    """Tell whether another seed gives another model."""
    return MODELS[choice.name].seeded


def fit_split(
    training: Training,
    dataset: Dataset,
    split: Split,
    choice: ModelChoice,
    seed: int,
    *,
    shuffled: bool = False,
) -> Trained:
    """Fit a model on the training part of a split.

    shuffled: whether its labels are put in another order first, for a control that has to find
        nothing
    """
    prepared = pipeline.fit(training.preparation, dataset, split)
    return _fit(training, dataset.take(split.train), prepared, choice, seed, shuffled)


def fit_whole(training: Training, dataset: Dataset, choice: ModelChoice, seed: int) -> Trained:
    """Fit a model on all samples, to be registered; it is judged on none of them."""
    prepared = pipeline.fit_whole(training.preparation, dataset)
    return _fit(training, dataset, prepared, choice, seed, shuffled=False)


def _fit(
    training: Training,
    part: Dataset,
    prepared: Prepared,
    choice: ModelChoice,
    seed: int,
    shuffled: bool,
) -> Trained:
    classes = is_class(training.label)
    kind, params = chosen(choice, classes=classes)
    y = target_of(training, part.y)
    if shuffled:
        y = np.random.default_rng(seed).permutation(y)
    if classes and y.min() == y.max():
        raise CandlesMissing(
            f"expected samples of both classes in a training part, but all {len(y)} are alike. "
            "Take a longer span, fewer folds, or another label."
        )
    samples = Samples(prepared.apply(part.x, part.instrument), y)
    return Trained(prepared, kind.fit(samples, params, seed, classes))
