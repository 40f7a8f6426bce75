"""Forty features of a million candles, against pandas, which must give the same values."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.candles import minute_candles
from benchmarks.forecast_twins import OTHER, TWINS, table
from benchmarks.pairs import faster, pairs
from benchmarks.rows import Row
from forecasts.features import FeatureSet
from mela.candles import Candles
from mela.errors import MelaError
from mela.interval import Interval

ROWS, REPEATS = 1_000_000, 5
NAME = "bench:OWN"
ALIKE = 1e-3  # of a feature's deviation: pandas carries the rounding of its sums along


def features() -> Row:
    """Compare the time for the whole matrix; both compute logarithms as often as they like."""
    candles, other = minute_candles(ROWS), minute_candles(ROWS, seed=5)
    candles = replace(candles, inputs=MappingProxyType({(OTHER, Interval.M1): other}))
    chosen = FeatureSet([one.choice for one in TWINS])
    of = table(candles, other)

    def theirs() -> object:
        return [one.theirs(of).to_numpy() for one in TWINS]

    _same(chosen.compute(candles, NAME), candles, other)  # which compiles, too
    measured = pairs(
        lambda: _seconds(lambda: chosen.compute(candles, NAME)), lambda: _seconds(theirs), REPEATS
    )
    return faster(
        "forecasts.features",
        measured,
        "pandas",
        minimum=10.0,
        note=f"{len(TWINS)} features of {ROWS:,} candles, one process",
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _same(ours: NDArray[np.float64], candles: Candles, other: Candles) -> None:
    of = table(candles, other)
    for column, one in zip(ours.T, TWINS, strict=True):
        far = apart(column, one.theirs(of).to_numpy(dtype=np.float64))
        if far > ALIKE:
            raise MelaError(f"{one.choice} and pandas differ by {far:.1e} deviations")


def apart(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return the greatest difference where both are defined, in deviations of theirs."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    deviation = float(np.std(theirs[both])) or 1.0
    return float(np.abs(ours[both] - theirs[both]).max()) / deviation
