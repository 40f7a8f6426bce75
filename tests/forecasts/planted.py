"""Samples with a planted signal: the label depends on one feature, with a known IC."""

from __future__ import annotations

from typing import Any

import numpy as np

from forecasts.dataset import Dataset
from forecasts.features import FeatureSet
from mela.training import Training
from tests.forecasts.made import BEGIN_MS
from tests.forecasts.trainings import training

HOUR_MS = 3_600_000


def planted(count: int, signal: float, *, classes: bool = False, seed: int = 5) -> Dataset:
    """Return samples of two instruments whose labels correlate with the first feature."""
    rng = np.random.default_rng(seed)
    names = FeatureSet(planted_training().features).names
    x = rng.standard_normal((count, len(names))) * np.arange(1, len(names) + 1)
    number = signal * x[:, 0] + np.sqrt(1 - signal**2) * rng.standard_normal(count)
    closed = BEGIN_MS + np.arange(count, dtype=np.int64) * HOUR_MS
    return Dataset(
        names,
        ("test:A", "test:B"),
        x,
        (number > 0).astype(np.float64) if classes else number,
        number,
        closed,
        closed + 4 * HOUR_MS,
        np.arange(count, dtype=np.int64) % 2,
        np.arange(count, dtype=np.int64),
        {},
    )


def planted_training(**changes: Any) -> Training:
    """Return the training that these samples belong to."""
    splits = {"kind": "walk_forward", "folds": 1}
    return training(**{"splits": splits, "preparation": {"instrument": "one_hot"}, **changes})
