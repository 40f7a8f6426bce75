"""From candles to samples: features, labels, spans and instruments, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.context import candle_closes_ms
from forecasts.features import FeatureSet
from forecasts.labels import UNKNOWN, label
from mela.candles import Candles
from mela.errors import CandlesMissing
from mela.instants import instant_text, to_ms
from mela.instrument import load_command
from mela.training import Training

Float = NDArray[np.float64]
Int = NDArray[np.int64]
_COLUMNS = ("x", "y", "returns", "closed_ms", "until_ms", "instrument", "bar")


@dataclass(frozen=True, eq=False)
class Dataset:
    """m samples, one for each candle that has all features and a label, in the order of decision.

    names: of the k columns of x; instruments: those of the training, in its order
    x: (m, k) float64, without NaN
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
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


def make_dataset(training: Training, candles: Mapping[str, Candles]) -> Dataset:
    """Return the samples of a training.

    candles: by instrument; each from `FeatureSet.window` candles before the start on, with the
        series that its features read in `inputs`. Candles from the end on are not looked at.
    Raises CandlesMissing where an instrument has no candles, or no sample is left.
    """
    features = FeatureSet(training.features)
    parts = [
        _samples(training, features, place, _given(training, candles, name))
        for place, name in enumerate(training.instruments)
    ]
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS
    }
    left_out = {
        name: int(part["left_out"][0])
        for name, part in zip(training.instruments, parts, strict=True)
    }
    dataset = Dataset(features.names, training.instruments, **joined, left_out=left_out)
    if not len(dataset):
        raise CandlesMissing(
            f"expected candles with all features and a label from {instant_text(training.start)} "
            f"to {instant_text(training.end)}, but none of {sum(left_out.values())} has them. "
            f"Features read {features.window} candles before one; take a longer span."
        )
    # stable, so that of one instant the instruments stay in their order
    return dataset.take(np.argsort(dataset.closed_ms, kind="stable"))


def _given(training: Training, candles: Mapping[str, Candles], name: str) -> Candles:
    series = candles.get(name)
    if series is None or not len(series):
        raise CandlesMissing(
            f"expected {training.interval} candles of {name}, but none were found. Load them "
            f"first: {load_command(name, training.interval)}"
        )
    return series.span(0, to_ms(training.end), 0)


def _samples(
    training: Training, features: FeatureSet, place: int, candles: Candles
) -> dict[str, Any]:
    x = features.compute(candles, training.instruments[place])
    labels = label(candles, training.label, training.costs)
    within = candles.opened_ms >= to_ms(training.start)
    usable = within & np.isfinite(x).all(axis=1) & (labels.until_ms < UNKNOWN)
    bars = np.flatnonzero(usable)
    return {
        "x": x[bars],
        "y": labels.y[bars],
        "returns": labels.returns[bars],
        "closed_ms": candle_closes_ms(candles)[bars],
        "until_ms": labels.until_ms[bars],
        "instrument": np.full(len(bars), place, np.int64),
        "bar": bars.astype(np.int64),
        "left_out": np.array([int(within.sum()) - len(bars)]),
    }
