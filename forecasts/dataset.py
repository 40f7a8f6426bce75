"""From candles to samples: features, labels, spans and instruments, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecasts.features import FeatureSet
from forecasts.labels import label
from mela.candles import Candles
from mela.instants import to_ms
from mela.training import Training

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """m samples, one for each candle that has all features and a label, in the order of decision.

    x: (m, k) float64, without NaN; names: of its k columns
    y: (m,) float64, the label: a number, or a class
    returns: (m,) float64, what a long position of the sample earned net of costs, whatever y is
    closed_ms: (m,) int64, rising: when the candle closed, and the decision fell
    until_ms: (m,) int64, when the label was known; the span of the label is [closed_ms, until_ms]
    instrument: (m,) int64, places in `instruments`
    bar: (m,) int64, the sample's place in the candles of its instrument
    left_out: candles in the span that have no sample, for each instrument: warm-up, NaN, no label
    """

    names: tuple[str, ...]
    instruments: tuple[str, ...]
    x: Float
    y: Float
    returns: Float
    closed_ms: Int
    until_ms: Int
    instrument: Int
    bar: Int
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Int) -> Dataset:
        """Return some of the samples, in the order of `rows`."""
        columns = ("x", "y", "returns", "closed_ms", "until_ms", "instrument", "bar")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def make_dataset(training: Training, candles: Mapping[str, Candles]) -> Dataset:
    """Return the samples of a training.

    candles: by instrument; each from `FeatureSet.window` candles before the start on, with the
        series that its features read in `inputs`
    Raises CandlesMissing where no sample is left, and says what was left out.
    """
    raise NotImplementedError


_ = FeatureSet, label, to_ms
