"""Count the different trials of a search: trials that rise and fall together count as one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from backtests.statistics.blocks import ROUNDING, Blocks
from backtests.statistics.sharpe import expected_max_sharpe

Float = NDArray[np.float64]
Int = NDArray[np.int64]
SAMPLE = 400  # trials clustered at a time: a matrix of all distances is made of them
ROUNDS = 6
MEMBERS = 4_096  # trials multiplied at a time
DRAWS = 2_000


@dataclass(frozen=True, slots=True)
class Effective:
    """The effective number of a search's trials, and the variance of their Sharpe ratios.

    n_trials: all of them; moving: those with a Sharpe ratio; distinct: those left when equal
        ones are counted once
    clusters: groups of trials that rise and fall together, at least 1
    as_independent: independent trials whose best would be, by luck alone, as good as the best of
        these, at least 1
    n_effective: the larger of the two
    variance_by_luck: of the Sharpe ratio per period of a trial without edge, 1 / (periods - 1)
    variance_of_all, variance_of_clusters: of the Sharpe ratios found, per period: of all that
        move, and of one trial from the middle of each cluster; None for fewer than two
    estimated: True where `clusters` is an extrapolation, too many being unlike each other
    """

    n_trials: int
    moving: int
    distinct: int
    clusters: int
    as_independent: int
    n_effective: int
    variance_by_luck: float
    variance_of_all: float | None
    variance_of_clusters: float | None
    estimated: bool

    def document(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def effective_trials(blocks: Blocks, *, seed: int = 0) -> Effective:
    """Return what a search's trials are worth, from their mean returns in each block.

    seed: of what is drawn
    """
    rows = blocks.sums / blocks.counts
    return effective_of(rows, blocks.sharpes(), int(blocks.counts.sum()), seed=seed)


def effective_of(returns: Float, sharpes: Float, periods: int, *, seed: int = 0) -> Effective:
    """Return what a search's trials are worth, from their returns over common times.

    returns: (trials, m) float64, finite: of each period, or means of blocks of them
    sharpes: (trials,) float64, per period; NaN where a trial never moves, which leaves it out
    periods: how many the Sharpe ratios are of, at least 2

    The number of clusters is where the mean silhouette is best. With more than 400 distinct trials,
    a seeded sample is clustered; trials that lie farther from every centre than any of the sample
    from its own are sampled again, up to 6 times; the rest then counts at the rate of the last
    sample.

    Clusters alone certify too much, for the winner is the best trial of its cluster, not the
    cluster's mean. So the best of normal numbers that correlate as the trials do is drawn too, and
    the larger number counts. `variance_by_luck` belongs to it in `deflated_sharpe`: the ratios
    found share one market, so that without an edge they lie closer together than luck takes each,
    and with one farther apart, skill being mistaken for luck. docs/statistics.md has the figures.

    Source: López de Prado & Lewis, "Detection of False Investment Strategies Using Unsupervised
    Learning Methods", Quantitative Finance 19 (2019), sections 5 and 6; instead of k-means their
    hierarchical clustering by average distance, which needs no starting points.
    """
    if periods < 2:
        raise ValueError(f"expected Sharpe ratios of at least 2 periods, but found {periods}")
    rng = np.random.default_rng(seed)
    moves = np.isfinite(sharpes)
    rows, ratios, distinct = _standardised(returns[moves], sharpes[moves])
    centres, medoids, left, rate = _all_clusters(rows, rng)
    of_all = _variance(sharpes[moves])
    of_clusters = _variance(ratios[medoids])
    groups = max(1, len(centres) + math.ceil(left * rate))
    alike = min(max(1, distinct), independent_trials(_luck_of_best(rows, rng)))
    return Effective(
        n_trials=len(sharpes),
        moving=int(moves.sum()),
        distinct=distinct,
        clusters=groups,
        as_independent=alike,
        n_effective=max(groups, alike),
        variance_by_luck=1.0 / (periods - 1),
        variance_of_all=of_all,
        variance_of_clusters=of_clusters,
        estimated=left > 0,
    )


def independent_trials(luck: float) -> int:
    """Return the least number of independent trials whose best is expected at `luck` deviations.

    >>> independent_trials(expected_max_sharpe(50, variance=1.0)), independent_trials(0.0)
    (50, 1)
    """
    low, high = 0, 1
    while expected_max_sharpe(high, 1.0) < luck:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if expected_max_sharpe(middle, 1.0) >= luck else (middle, high)
    return high


def _luck_of_best(rows: Float, rng: np.random.Generator) -> float:
    """Return the mean of the highest of normal numbers that correlate as the rows do."""
    if len(rows) < 2:
        return 0.0
    drawn = rng.standard_normal((rows.shape[1], DRAWS))
    best = np.full(DRAWS, -np.inf)
    for start in range(0, len(rows), MEMBERS):
        np.maximum(best, (rows[start : start + MEMBERS] @ drawn).max(axis=0), out=best)
    return float(best.mean())


def _variance(ratios: Float) -> float | None:
    return float(np.var(ratios, ddof=1)) if len(ratios) > 1 else None


def _standardised(returns: Float, sharpes: Float) -> tuple[Float, Float, int]:
    """Return distinct rows of mean 0 and length 1, their Sharpe ratios, and how many they are."""
    _, first = np.unique(returns, axis=0, return_index=True)
    first.sort()
    rows, ratios = returns[first], sharpes[first]
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    # A trial that moves within blocks but not from block to block correlates with nothing.
    still = length <= ROUNDING * np.abs(returns[first]).max(axis=1, initial=0.0)
    length[still] = 1.0
    rows[still] = 0.0
    return rows / length[:, None], ratios, len(first)


def _all_clusters(rows: Float, rng: np.random.Generator) -> tuple[list[Float], Int, int, float]:
    """Return centres, medoids (by row), how many rows were left, and clusters per row for them."""
    centres: list[Float] = []
    medoids: list[int] = []
    left = np.arange(len(rows))
    rate = 0.0
    for _ in range(ROUNDS):
        if len(left) == 0:
            break
        sample = left
        if len(left) > SAMPLE:
            sample = np.sort(rng.choice(left, SAMPLE, replace=False))
        labels = clusters(rows[sample])
        found, middles, reach = _centres(rows[sample], labels)
        centres += found
        medoids += [int(sample[at]) for at in middles]
        rate = len(found) / len(sample)
        others = np.setdiff1d(left, sample, assume_unique=True)
        left = others[_nearest(rows, others, np.array(found)) > reach]
    return centres, np.array(medoids, dtype=np.int64), len(left), rate


def _centres(rows: Float, labels: Int) -> tuple[list[Float], list[int], float]:
    """Return each cluster's mean direction, the row nearest to it, and the farthest distance."""
    centres: list[Float] = []
    middles: list[int] = []
    reach = 0.0
    for label in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == label)
        centre = rows[members].mean(axis=0)
        length = float(np.sqrt(centre @ centre))
        centre = centre / length if length > ROUNDING else rows[members[0]]
        near = rows[members] @ centre
        centres.append(centre)
        middles.append(int(members[np.argmax(near)]))
        if len(members) > 1:
            reach = max(reach, float(_distance(near.min())))
    return centres, middles, reach


def _nearest(rows: Float, at: Int, centres: Float) -> Float:
    """Return the distance of each of some rows from the centre nearest to it."""
    near = np.empty(len(at))
    for start in range(0, len(at), MEMBERS):
        part = slice(start, start + MEMBERS)
        near[part] = _distance((rows[at[part]] @ centres.T).max(axis=1))
    return near


def _distance(correlation: Any) -> Any:
    return np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))


def clusters(rows: Float) -> Int:
    """Return the cluster of each of (n, periods) rows of mean 0 and length 1: (n,), from 0 on.

    The distance is √((1 − correlation) / 2); clusters join by average distance; their number has
    the best mean silhouette, where one trial alone counts 0. Never one cluster of two trials or
    more: the silhouette cannot tell.
    """
    if len(rows) < 3:
        return np.arange(len(rows), dtype=np.int64)
    distances = _distance(rows @ rows.T)
    distances = (distances + distances.T) / 2.0
    np.fill_diagonal(distances, 0.0)
    joins = linkage(squareform(distances, checks=False), method="average")
    pairs = np.ascontiguousarray(joins[:, :2]).astype(np.int64)
    return _cut(distances, pairs)


@njit(cache=True, nogil=True, error_model="numpy")
def _silhouette(sums: Float, own: Int, sizes: Int) -> float:
    """Return the mean silhouette; sums: (n, n) distances of each trial to each living cluster."""
    n = len(own)
    total = 0.0
    for i in range(n):
        if sizes[own[i]] > 1:
            inner = sums[i, own[i]] / (sizes[own[i]] - 1)
            outer = np.inf
            for cluster in range(n):
                if sizes[cluster] > 0 and cluster != own[i]:
                    outer = min(outer, sums[i, cluster] / sizes[cluster])
            widest = max(inner, outer)
            total += (outer - inner) / widest if widest > 0.0 else 0.0
    return total / n


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(distances: Float, pairs: Int) -> Int:
    """Join clusters in the order of the tree down to two; return the best labels on the way."""
    n = len(distances)
    sums = distances.copy()
    own = np.arange(n)
    sizes = np.ones(n, dtype=np.int64)
    slot = np.empty(2 * n, dtype=np.int64)  # where each node of the tree keeps its sums
    slot[:n] = np.arange(n)
    best = own.copy()
    highest = 0.0
    for step in range(n - 2):
        kept, gone = slot[pairs[step, 0]], slot[pairs[step, 1]]
        slot[n + step] = kept
        sizes[kept] += sizes[gone]
        sizes[gone] = 0
        for i in range(n):
            sums[i, kept] += sums[i, gone]
            if own[i] == gone:
                own[i] = kept
        value = _silhouette(sums, own, sizes)
        if value > highest:
            highest = value
            best = own.copy()
    number = np.full(n, -1)
    count = 0
    for i in range(n):
        if number[best[i]] < 0:
            number[best[i]] = count
            count += 1
        best[i] = number[best[i]]
    return best
