"""Splits of samples into training and test, by the spans of their labels.

A training sample whose span meets the span of a test is purged; one that is decided within the
embargo behind a test is left out. Spans include both ends: a label that is known at the very
instant of a test's first decision is one that no model could have been trained on by then.

Source: López de Prado, "Advances in Financial Machine Learning" (2018), sections 7.4 and 12.3.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from mela.interval import Interval
from mela.training import CombinatorialPurged, PurgedWalkForward, Splits
from mela.windows import in_candles

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
MOST_SPLITS = 10_000


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
    """Return the splits of a dataset. Raises ValueError where one would have no sample to train.

    Samples of one instant, of several instruments, are never parted.
    """
    embargo = _length_ms(splits.embargo, interval)
    if isinstance(splits, PurgedWalkForward):
        return _walk_forward(dataset, splits, embargo, interval)
    return _combinatorial(dataset, splits, embargo)


def split_count(splits: Splits) -> int:
    """Return how many splits there will be, whatever the samples are.

    >>> split_count(CombinatorialPurged(groups=6, test_groups=2))
    15
    """
    if isinstance(splits, PurgedWalkForward):
        return splits.folds
    return comb(splits.groups, splits.test_groups)


def paths_of(splits: Sequence[Split]) -> list[list[tuple[int, int]]]:
    """Return the paths of combinatorial splits: (split, group) for each group, from first to last.

    Each path covers every group once, and each tested group of each split is in one path.

    >>> pairs = [(0, 1), (0, 2), (1, 2)]
    >>> none = np.empty(0, np.int64)
    >>> paths_of([Split(none, none, groups, 0, 0) for groups in pairs])
    [[(0, 0), (0, 1), (1, 2)], [(1, 0), (2, 1), (2, 2)]]
    """
    tested: dict[int, list[int]] = {}
    for place, split in enumerate(splits):
        for group in split.groups:
            tested.setdefault(group, []).append(place)
    counts = {len(places) for places in tested.values()}
    if len(counts) != 1:
        raise ValueError("paths need splits that test every group equally often")
    return [
        [(tested[group][path], group) for group in sorted(tested)] for path in range(counts.pop())
    ]


def group_bounds(dataset: Dataset, groups: int) -> list[tuple[int, int]]:
    """Return the first sample of each group and the one after its last; groups of equal instants.

    As many instants lie in each group, one more in the first ones. Raises ValueError for more
    groups than instants.
    """
    instants, first = np.unique(dataset.closed_ms, return_index=True)
    if groups > len(instants):
        raise ValueError(
            f"expected at least {groups} instants with samples for as many parts, but found "
            f"{len(instants)}; take a longer span or fewer folds"
        )
    begins = [int(first[part[0]]) for part in np.array_split(np.arange(len(instants)), groups)]
    return list(zip(begins, [*begins[1:], len(dataset)], strict=True))


def kept_apart(
    dataset: Dataset, spans: Sequence[tuple[int, int]], embargo_ms: int
) -> tuple[Bool, Bool]:
    """Return which samples a test's spans purge, and which besides the embargo leaves out, (m,).

    spans: first sample and the one after the last, of each span of neighbours that tests
    """
    purged, embargoed = np.zeros(len(dataset), np.bool_), np.zeros(len(dataset), np.bool_)
    for begin, end in spans:
        start = dataset.closed_ms[begin]
        # labels of a span do not end in the order of its decisions, so the last one need not decide
        until = max(dataset.until_ms[begin:end].max(), dataset.closed_ms[end - 1])
        purged |= (dataset.until_ms >= start) & (dataset.closed_ms <= until)
        embargoed |= (dataset.closed_ms > until) & (dataset.closed_ms <= until + embargo_ms)
    return purged, embargoed & ~purged


def _walk_forward(
    dataset: Dataset, splits: PurgedWalkForward, embargo_ms: int, interval: Interval
) -> list[Split]:
    bounds = group_bounds(dataset, splits.folds + 1)  # the first only trains
    length = None if splits.train is None else _length_ms(splits.train, interval)
    found: list[Split] = []
    for fold, (begin, end) in enumerate(bounds[1:]):
        start = dataset.closed_ms[begin]
        before = np.arange(len(dataset)) < begin
        if length is not None:
            before &= dataset.closed_ms >= start - length
        purged = before & (dataset.until_ms >= start)
        # here the test lies behind the training, and the embargo is a pause between them
        embargoed = before & ~purged & (dataset.until_ms >= start - embargo_ms)
        embargoed &= embargo_ms > 0
        train = before & ~purged & ~embargoed
        found.append(_split(train, np.arange(begin, end), (fold,), purged, embargoed))
    return found


def _combinatorial(dataset: Dataset, splits: CombinatorialPurged, embargo_ms: int) -> list[Split]:
    bounds = group_bounds(dataset, splits.groups)
    chosen = list(itertools.combinations(range(splits.groups), splits.test_groups))
    if len(chosen) > MOST_SPLITS:
        raise ValueError(
            f"{splits.test_groups} of {splits.groups} groups are {len(chosen):,} splits, and at "
            f"most {MOST_SPLITS:,} are trained; take fewer groups"
        )
    found: list[Split] = []
    for groups in chosen:
        spans = _spans([bounds[group] for group in groups])
        test = np.concatenate([np.arange(begin, end) for begin, end in spans])
        purged, embargoed = kept_apart(dataset, spans, embargo_ms)
        is_test = np.zeros(len(dataset), np.bool_)
        is_test[test] = True
        train = ~is_test & ~purged & ~embargoed
        found.append(_split(train, test, groups, purged & ~is_test, embargoed & ~is_test))
    return found


def _spans(bounds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the bounds with neighbours joined."""
    joined: list[tuple[int, int]] = []
    for begin, end in bounds:
        if joined and joined[-1][1] == begin:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return joined


def _split(train: Bool, test: Int, groups: tuple[int, ...], purged: Bool, embargoed: Bool) -> Split:
    if not train.any():
        raise ValueError(
            f"expected samples to train on before the test of {groups}, but after purging "
            f"{int(purged.sum())} and an embargo of {int(embargoed.sum())} none is left; take a "
            "longer span, fewer folds, or a label that is known sooner"
        )
    places = np.flatnonzero(train).astype(np.int64)
    return Split(places, test.astype(np.int64), groups, int(purged.sum()), int(embargoed.sum()))


def _length_ms(length: str, interval: Interval) -> int:
    fixed = interval.fixed_ms
    if fixed is None:
        raise ValueError(
            f"expected an interval of fixed length to count an embargo in, but found {interval}"
        )
    return in_candles(length, interval) * fixed
