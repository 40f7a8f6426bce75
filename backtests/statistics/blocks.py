"""The sums of returns over common blocks: all that a search keeps of each trial.

From the sums and the sums of squares of 16 blocks follow mean and deviation of any union of them,
so that no curve need be stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
BLOCKS = 16
ROUNDING = 1e-12  # of the squares: a spread below this share of them is rounding, not risk


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The trials of one search whose returns cover the same periods.

    sums, squares: (trials, blocks) float64, of the period returns and of their squares, finite
    counts: (blocks,) int64, how many periods each block has, at least 1
    """

    sums: Float
    squares: Float
    counts: Int

    def __post_init__(self) -> None:
        if self.sums.ndim != 2 or self.sums.shape != self.squares.shape:
            raise ValueError(
                "expected sums and squares of one shape (trials, blocks), but found "
                f"{self.sums.shape} and {self.squares.shape}"
            )
        if self.counts.shape != self.sums.shape[1:] or np.any(self.counts < 1):
            raise ValueError(
                f"expected counts of at least 1 for each of {self.sums.shape[1]} blocks, but "
                f"found {self.counts.tolist()}"
            )
        if not (np.isfinite(self.sums).all() and np.isfinite(self.squares).all()):
            raise ValueError("expected finite sums and squares, but some are not: leave such out")

    def __len__(self) -> int:
        return len(self.sums)

    def at(self, trials: NDArray[np.int64] | NDArray[np.bool_]) -> Blocks:
        """Return those of some trials, given by number or by a mask."""
        return Blocks(self.sums[trials], self.squares[trials], self.counts)

    def sharpes(self) -> Float:
        """Return the Sharpe ratio of each trial per period: (trials,), NaN where it never moves."""
        n = int(self.counts.sum())
        total = self.sums.sum(axis=1)
        squares = self.squares.sum(axis=1)
        spread = squares - total * total / n
        moves = spread > ROUNDING * squares
        ratios = np.full(len(self), np.nan)
        if n > 1:
            ratios[moves] = total[moves] / n / np.sqrt(spread[moves] / (n - 1))
        return ratios


def edges(periods: int, blocks: int = BLOCKS) -> Int:
    """Return where blocks of as equal a length as can be begin and end: (blocks + 1,) int64.

    >>> edges(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    if periods < blocks:
        raise ValueError(f"expected at least {blocks} periods, one a block, but found {periods}")
    return np.arange(blocks + 1, dtype=np.int64) * periods // blocks


def blocks_of(returns: Float, blocks: int = BLOCKS) -> Blocks:
    """Return the sums over blocks of (trials, periods) returns.

    >>> blocks_of(np.array([[0.5, 0.5, 0.25, 0.0]]), 2).sums.tolist()
    [[1.0, 0.25]]
    """
    bounds = edges(returns.shape[1], blocks)
    return Blocks(
        np.add.reduceat(returns, bounds[:-1], axis=1),
        np.add.reduceat(returns * returns, bounds[:-1], axis=1),
        np.diff(bounds),
    )
