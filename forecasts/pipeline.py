"""What is fitted on a training part before the model: scalers, selectors, encoders.

`fit` takes a dataset and a split, and reads of the dataset the rows of `split.train` alone. There
is no other way to a `Prepared`, and a `Prepared` cannot be fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from forecasts.splits import Split
from mela.training import Preparation

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What was learned of a training part. Made by `fit`, or read from a document.

    names: of the columns that `apply` returns
    instruments: those of the training part, whose codes `apply` takes
    trained_through_ms: when the last label of the training part was known
    """

    names: tuple[str, ...]
    instruments: tuple[str, ...]
    trained_through_ms: int

    def apply(self, x: Float, instrument: Int) -> Float:
        """Return what the model reads: (m, p) float64 from (m, k) and (m,) codes.

        An instrument that the training part did not have (-1) is encoded as the mean of all.
        """
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """Return it as JSON values, which `from_document` reads to the same bits."""
        raise NotImplementedError


def fit(preparation: Preparation, dataset: Dataset, split: Split, *, classes: bool) -> Prepared:
    """Learn from the training part of a split. classes: whether y is a class."""
    raise NotImplementedError


def fit_whole(preparation: Preparation, dataset: Dataset, *, classes: bool) -> Prepared:
    """Learn from all samples, for a model that is registered and is judged on none of them."""
    raise NotImplementedError


def from_document(document: dict[str, Any]) -> Prepared:
    """Return what `Prepared.document` told."""
    raise NotImplementedError
