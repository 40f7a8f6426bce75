"""Steps that are fitted on a training part before the model: scalers, selectors, encoders.

`fit` takes a dataset and a split, and hands only the rows of `split.train` on. There is no other
way to a `Prepared`, and a `Prepared` is never fitted again: no caller can scale by what it tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from forecasts.dataset import Dataset
from forecasts.splits import Split
from mela.training import Preparation

Float = NDArray[np.float64]
Int = NDArray[np.int64]
PRIOR = 100.0  # samples of the mean of all that a target encoding begins with


@dataclass(frozen=True, eq=False)
class Prepared:
    """The fitted steps of a training part. Made by `fit`, or read from a document.

    names: of the p columns that `apply` returns
    instruments: those of the dataset, whose places `apply` takes
    trained_through_ms: when the last label of the training part was known
    kept: (q,) int64, which of the features stay
    mean, deviation: (q,) float64, of these features in the training part; a constant one has 1
    clip: deviations at which a feature is cut off; None for none
    encoding: how an instrument becomes columns
    codes: (instruments + 1, columns) float64, its columns; the last row is of unknown ones
    """

    names: tuple[str, ...]
    instruments: tuple[str, ...]
    trained_through_ms: int
    kept: Int
    mean: Float
    deviation: Float
    clip: float | None
    encoding: Literal["none", "one_hot", "target"]
    codes: Float

    def apply(self, x: Float, instrument: Int) -> Float:
        """Return what the model reads: (m, p) float64, from features and places of instruments.

        x: (m, k) float64; a NaN stays one
        instrument: (m,) int64, -1 where the training did not have it
        """
        scaled = (x[:, self.kept] - self.mean) / self.deviation
        if self.clip is not None:
            scaled = np.clip(scaled, -self.clip, self.clip)
        if self.encoding == "none":
            return scaled
        return np.concatenate([scaled, self.codes[instrument]], axis=1)

    def place_of(self, instrument: str) -> int:
        """Return the place of an instrument, -1 where the training did not have it."""
        return self.instruments.index(instrument) if instrument in self.instruments else -1

    def document(self) -> dict[str, Any]:
        """Return it as JSON values, which `from_document` reads to the same bits."""
        return {
            "names": list(self.names),
            "instruments": list(self.instruments),
            "trained_through_ms": self.trained_through_ms,
            "kept": self.kept.tolist(),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "clip": self.clip,
            "encoding": self.encoding,
            "codes": self.codes.tolist(),
        }


def from_document(document: dict[str, Any]) -> Prepared:
    """Return what `Prepared.document` told."""
    columns = len(document["names"]) - len(document["kept"])
    codes = np.array(document["codes"], np.float64)
    return Prepared(
        tuple(document["names"]),
        tuple(document["instruments"]),
        int(document["trained_through_ms"]),
        np.array(document["kept"], np.int64),
        np.array(document["mean"], np.float64),
        np.array(document["deviation"], np.float64),
        document["clip"],
        document["encoding"],
        codes.reshape(len(document["instruments"]) + 1, columns),
    )


def fit(preparation: Preparation, dataset: Dataset, split: Split) -> Prepared:
    """Learn from the training part of a split, and from nothing else."""
    return _fit(preparation, dataset.take(split.train))


def fit_whole(preparation: Preparation, dataset: Dataset) -> Prepared:
    """Learn from all samples, for a model that is registered and judged on none of them."""
    return _fit(preparation, dataset)


def _fit(preparation: Preparation, part: Dataset) -> Prepared:
    kept = _selected(preparation.select, part)
    x = part.x[:, kept]
    deviation = x.std(axis=0)
    mean = x.mean(axis=0)
    # a constant's deviation is its rounding, which would blow it up elsewhere
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-12)
    prepared = Prepared(
        tuple(part.names[place] for place in kept),
        part.instruments,
        int(part.until_ms.max()),
        kept,
        mean,
        np.where(constant, 1.0, deviation),
        preparation.clip,
        preparation.instrument,
        np.empty((len(part.instruments) + 1, 0)),
    )
    names, codes = _codes(preparation.instrument, part)
    return replace(prepared, names=(*prepared.names, *names), codes=codes)


def _selected(count: int | None, part: Dataset) -> Int:
    """Return the features of the highest rank IC, of either sign, in their own order."""
    total = part.x.shape[1]
    if count is None or count >= total:
        return np.arange(total)
    target = _ranks(part.y)
    ic = np.array([abs(float(target @ _ranks(column))) for column in part.x.T])
    best = np.argsort(-ic, kind="stable")[:count]  # of equals the first
    return np.sort(best).astype(np.int64)


def _ranks(values: Float) -> Float:
    """Return the ranks, centred and of length 1; zeros where all are equal."""
    ranks = rankdata(values)
    centred = ranks - ranks.mean()
    length = np.sqrt(centred @ centred)
    return centred / length if length > 0 else centred


def _codes(encoding: str, part: Dataset) -> tuple[tuple[str, ...], Float]:
    """Return the columns that tell an instrument: its own flag, or its mean label, shrunk."""
    count = len(part.instruments)
    if encoding == "none":
        return (), np.empty((count + 1, 0))
    if encoding == "one_hot":
        codes = np.concatenate([np.eye(count), np.zeros((1, count))])
        return tuple(f"is {name}" for name in part.instruments), codes
    number = np.bincount(part.instrument, minlength=count)
    total = np.bincount(part.instrument, weights=part.y, minlength=count)
    mean = float(part.y.mean())
    deviation = float(part.y.std()) or 1.0
    # in deviations of the label, so that a linear model meets it on the scale of the others
    shrunk = ((total + PRIOR * mean) / (number + PRIOR) - mean) / deviation
    return ("label of its instrument",), np.concatenate([shrunk, [0.0]])[:, None]
