"""The probability that a search picked its winner by luck: combinatorially symmetric validation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.statistics.blocks import ROUNDING, Blocks

Float = NDArray[np.float64]
Int = NDArray[np.int64]
CHUNK = 1_024  # trials whose sums stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The out-of-sample rank, in one half of the blocks, of the best run in the other.

    pbo: share of the choices that rank in the lower half outside, the median counted with it
    median_logit: of the relative ranks outside; below 0 where most choices disappoint
    slope: of a line through (Sharpe inside, Sharpe outside) of the choices; None where the former
        never vary
    probability_of_loss: share of the choices with a Sharpe ratio below 0 outside
    combinations: choices made, 12,870 of 16 blocks
    trials, still: trials compared, and those left out because they never moved
    reason: why there are no numbers, else None
    """

    pbo: float | None
    median_logit: float | None
    slope: float | None
    probability_of_loss: float | None
    combinations: int
    trials: int
    still: int
    reason: str | None = None

    def document(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def overfitting(blocks: Blocks) -> Overfitting:
    """Return how often the best trial of half of the blocks is a poor one in the other half.

    Every split of the blocks into two halves is tried both ways. Trials that never moved are left
    out; one that does not move in a half has a Sharpe ratio of 0 there. Equal ranks are shared by
    their mean; among equal best ones the first is the choice.

    Raises ValueError for an odd number of blocks or fewer than 2 periods in a half.

    Source: Bailey, Borwein, López de Prado & Zhu, "The Probability of Backtest Overfitting",
    Journal of Computational Finance 20 (2017), section 2.
    """
    width = len(blocks.counts)
    if width % 2 or width < 2 or int(np.sort(blocks.counts)[: width // 2].sum()) < 2:
        raise ValueError(
            "expected an even number of blocks with at least 2 periods in each half, but found "
            f"counts of {blocks.counts.tolist()}"
        )
    moves = np.isfinite(blocks.sharpes())
    compared, still = int(moves.sum()), int((~moves).sum())
    if compared < 2:
        reason = f"it takes two trials that move to compare, and here are {compared}"
        return Overfitting(None, None, None, None, 0, compared, still, reason)
    inside, outside, ranks = _choices(
        np.ascontiguousarray(blocks.sums[moves].T),
        np.ascontiguousarray(blocks.squares[moves].T),
        blocks.counts.astype(np.float64),
        _halves(width),
    )
    relative = ranks / (compared + 1)
    logits = np.log(relative / (1.0 - relative))
    return Overfitting(
        pbo=float(np.mean(ranks <= (compared + 1) / 2)),
        median_logit=float(np.median(logits)),
        slope=_slope(inside, outside),
        probability_of_loss=float(np.mean(outside < 0.0)),
        combinations=len(ranks),
        trials=compared,
        still=still,
    )


def _halves(width: int) -> Int:
    """Return each split once: its first half holds block 0, the other half stands behind it."""
    rows: list[tuple[int, ...]] = []
    for rest in combinations(range(1, width), width // 2 - 1):
        half = (0, *rest)
        rows.append(half + tuple(block for block in range(width) if block not in half))
    return np.array(rows, dtype=np.int64)


def _slope(inside: Float, outside: Float) -> float | None:
    off = inside - inside.mean()
    spread = float(off @ off)
    if not spread > 0.0 or math.sqrt(spread / len(off)) < ROUNDING:
        return None
    return float(off @ outside) / spread


@njit(cache=True, nogil=True, error_model="numpy")
def _ratios(sums: Float, squares: Float, blocks: Int, n: float, out: Float) -> None:
    """Write the Sharpe ratio of each trial over some blocks, 0 where it is still in them."""
    total, square = np.empty(CHUNK), np.empty(CHUNK)
    for start in range(0, len(out), CHUNK):
        end = min(start + CHUNK, len(out))
        # Slices, one loop each: so the compiler sees that it can take several trials at once.
        part, ratio = total[: end - start], out[start:end]
        square_part = square[: end - start]
        part[:] = 0.0
        square_part[:] = 0.0
        for at in range(len(blocks)):
            row, square_row = sums[blocks[at], start:end], squares[blocks[at], start:end]
            for i in range(len(row)):
                part[i] += row[i]
            for i in range(len(row)):
                square_part[i] += square_row[i]
        for i in range(len(ratio)):
            mean = part[i] / n
            spread = square_part[i] - part[i] * mean
            still = spread <= ROUNDING * square_part[i]
            risk = math.sqrt((1.0 if still else spread) / (n - 1.0))
            ratio[i] = 0.0 if still else mean / risk


@njit(cache=True, nogil=True, error_model="numpy")
def _rank(values: Float, chosen: int) -> float:
    """Return the rank of one value, 1 for the lowest; equal ones share their mean."""
    lower = equal = 0
    for value in values:
        lower += value < values[chosen]
        equal += value == values[chosen]
    return lower + (equal + 1) / 2.0


@njit(cache=True, nogil=True, error_model="numpy")
def _choices(sums: Float, squares: Float, counts: Float, halves: Int) -> tuple[Float, Float, Float]:
    """Return, for each half of each split, the best trial's ratio in it, outside, and its rank."""
    splits, width = halves.shape
    trials = sums.shape[1]
    inside, outside, ranks = np.empty(2 * splits), np.empty(2 * splits), np.empty(2 * splits)
    ratios = np.empty((2, trials))
    for split in range(splits):
        for side in range(2):
            blocks = halves[split, side * (width // 2) : (side + 1) * (width // 2)]
            n = counts[blocks].sum()
            _ratios(sums, squares, blocks, n, ratios[side])
        for side in range(2):
            best = int(np.argmax(ratios[side]))
            at = 2 * split + side
            inside[at] = ratios[side, best]
            outside[at] = ratios[1 - side, best]
            ranks[at] = _rank(ratios[1 - side], best)
    return inside, outside, ranks
