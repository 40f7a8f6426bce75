"""A fan: how equity might have gone, by quantile, around how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.charts.view import telling_points

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Quantiles of equity over time.

    times_ms: (n,) int64, UTC milliseconds; equity: (n,), what happened
    quantiles: level in (0, 1) → (n,) equity at that level; bands are drawn between the lowest and
        the highest, the next ones inwards, and an odd one in the middle is a line
    Raises ValueError for arrays of other lengths or levels outside (0, 1).
    """

    times_ms: NDArray[np.int64]
    quantiles: Mapping[float, Float]
    equity: Float | None = None
    title: str = "Monte Carlo"

    def __post_init__(self) -> None:
        if not self.quantiles or any(not 0.0 < level < 1.0 for level in self.quantiles):
            found = sorted(self.quantiles)
            raise ValueError(f"expected levels within (0, 1), but found {found}")
        n = len(self.times_ms)
        if any(len(curve) != n for curve in self._curves()):
            lengths = sorted({len(curve) for curve in self._curves()})
            raise ValueError(f"expected {n} values in each curve, but found {lengths}")

    def thinned(self, most: int) -> Fan:
        """Return the same fan with fewer points, those that its curves turn at among them."""
        points = telling_points(self._curves(), most)
        quantiles = {level: curve[points] for level, curve in self.quantiles.items()}
        equity = None if self.equity is None else self.equity[points]
        return Fan(self.times_ms[points], quantiles, equity, self.title)

    def _curves(self) -> list[Float]:
        return [*self.quantiles.values(), *([] if self.equity is None else [self.equity])]
