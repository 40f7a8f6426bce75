"""Splits of samples into training and test, by the spans of their labels.

A training sample whose span meets the span of a test is purged; one that is decided within the
embargo behind a test is left out. Spans include both ends: a label that is known at the very
instant of a test's first decision is one that no model could have been trained on by then.

Source: López de Prado, "Advances in Financial Machine Learning" (2018), sections 7.4 and 12.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from mela.interval import Interval
from mela.training import CombinatorialPurged, PurgedWalkForward, Splits

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """One training part and one test part.

    train, test: places of samples, rising, (int64,)
    groups: of the spans that test, in combinatorial splits; the fold's number in walk-forward
    purged: samples left out because of their labels' spans; embargoed: because of the embargo
    """

    train: Int
    test: Int
    groups: tuple[int, ...]
    purged: int
    embargoed: int


def make_splits(dataset: Dataset, splits: Splits, interval: Interval) -> list[Split]:
    """Return the splits of a dataset. Raises ValueError where one would have no sample."""
    raise NotImplementedError


def paths_of(splits: Sequence[Split]) -> list[list[tuple[int, int]]]:
    """Return the paths of combinatorial splits: (split, group) for each group, from first to last.

    Each path covers every group once, and each tested group of each split is in one path.
    """
    raise NotImplementedError


_ = CombinatorialPurged, PurgedWalkForward
