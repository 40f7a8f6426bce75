"""Splits: no label reaches from training to test; skfolio's where all horizons are one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasts.dataset import Dataset
from forecasts.splits import Split, make_splits, paths_of
from mela.interval import HOUR_MS, Interval
from mela.training import CombinatorialPurged, PurgedWalkForward


def samples(closed: np.ndarray, lasts: np.ndarray, instrument: np.ndarray | None = None) -> Dataset:
    """Return samples with these spans, hours since 1970."""
    closed_ms = closed.astype(np.int64) * HOUR_MS
    count = len(closed)
    nothing = np.zeros(count)
    return Dataset(
        ("one",),
        ("test:A", "test:B"),
        nothing[:, None],
        nothing,
        nothing,
        closed_ms,
        closed_ms + lasts.astype(np.int64) * HOUR_MS,
        np.zeros(count, np.int64) if instrument is None else instrument,
        np.arange(count),
        {},
    )


def fixed(count: int, horizon: int) -> Dataset:
    return samples(np.arange(count), np.full(count, horizon))


@pytest.mark.parametrize(("groups", "tested"), [(6, 2), (5, 4), (7, 3), (10, 2)])
@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("embargo", [0, 3])
def test_combinatorial_splits_are_those_of_skfolio(
    groups: int, tested: int, horizon: int, embargo: int
) -> None:
    from skfolio.model_selection import CombinatorialPurgedCV

    count = 30 * groups
    theirs = CombinatorialPurgedCV(
        n_folds=groups, n_test_folds=tested, purged_size=horizon, embargo_size=embargo
    )
    ours = make_splits(
        fixed(count, horizon),
        CombinatorialPurged(groups=groups, test_groups=tested, embargo=f"{embargo}c"),
        Interval.H1,
    )
    found = list(theirs.split(np.zeros((count, 1))))
    assert len(ours) == len(found) == theirs.n_splits == math.comb(groups, tested)
    for one, (train, tests) in zip(ours, found, strict=True):
        assert one.train.tolist() == train.tolist()
        assert one.test.tolist() == np.concatenate(tests).tolist()
    assert len(paths_of(ours)) == theirs.n_test_paths


@pytest.mark.parametrize("horizon", [1, 5])
def test_walk_forward_is_that_of_skfolio(horizon: int) -> None:
    from skfolio.model_selection import WalkForward

    theirs = WalkForward(
        test_size=20, train_size=20 - horizon, purged_size=horizon, expand_train=True
    )
    ours = make_splits(fixed(120, horizon), PurgedWalkForward(folds=5), Interval.H1)
    found = list(theirs.split(np.zeros((120, 1))))
    assert len(ours) == len(found) == 5
    for one, (train, test) in zip(ours, found, strict=True):
        assert one.train.tolist() == train.tolist()
        assert one.test.tolist() == test.tolist()


def test_each_path_has_each_group_once() -> None:
    splits = make_splits(fixed(60, 2), CombinatorialPurged(groups=6, test_groups=2), Interval.H1)
    paths = paths_of(splits)
    assert len(paths) == 5  # C(5, 1): López de Prado, section 12.3
    assert all([group for _, group in path] == list(range(6)) for path in paths)
    used = [one for path in paths for one in path]
    assert len(set(used)) == len(used) == 15 * 2
    assert all(group in splits[place].groups for place, group in used)


def test_a_window_of_training_moves_along() -> None:
    ours = make_splits(fixed(100, 1), PurgedWalkForward(folds=4, train="10c"), Interval.H1)
    assert [len(one.train) for one in ours] == [9] * 4  # of ten samples one is purged
    assert [int(one.train[0]) for one in ours] == [10, 30, 50, 70]


def test_a_label_of_a_week_in_a_test_purges_all_that_it_meets() -> None:
    lasts = np.ones(40)
    lasts[5] = 20  # a test's first label lasts longest
    ours = make_splits(
        samples(np.arange(40), lasts), CombinatorialPurged(groups=4, test_groups=1), Interval.H1
    )
    first = ours[0]  # tests 0 to 9; their labels are decided by 25
    assert first.train.tolist() == list(range(26, 40))


def test_no_split_without_training_is_made() -> None:
    with pytest.raises(ValueError, match="none is left"):
        make_splits(fixed(20, 15), PurgedWalkForward(folds=3), Interval.H1)
    with pytest.raises(ValueError, match="fewer folds"):
        make_splits(fixed(3, 1), PurgedWalkForward(folds=3), Interval.H1)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(40, 120))
    longest = draw(st.integers(1, 8))
    rng = np.random.default_rng(seed)
    closed = np.sort(rng.integers(0, count, count))  # two instruments share some instants
    return samples(closed, rng.integers(1, longest + 1, count), rng.integers(0, 2, count))


@settings(max_examples=60, deadline=None)
@given(dataset=datasets(), embargo=st.integers(0, 5), tested=st.integers(1, 2))
def test_no_training_label_meets_a_test_and_the_embargo_is_kept(
    dataset: Dataset, embargo: int, tested: int
) -> None:
    kinds = (
        CombinatorialPurged(groups=5, test_groups=tested, embargo=f"{embargo}c"),
        PurgedWalkForward(folds=3, embargo=f"{embargo}c"),
    )
    for kind in kinds:
        try:
            splits = make_splits(dataset, kind, Interval.H1)
        except ValueError:
            continue
        for split in splits:
            assert not set(split.train.tolist()) & set(split.test.tolist())
            assert len(split.train) + len(split.test) + split.purged + split.embargoed <= len(
                dataset
            )
            _is_apart(dataset, split, kind.kind, embargo * HOUR_MS)
        tested_once = np.concatenate([split.test for split in splits])
        if isinstance(kind, PurgedWalkForward):
            assert len(np.unique(tested_once)) == len(tested_once)
        else:
            assert set(tested_once.tolist()) == set(range(len(dataset)))


def _is_apart(dataset: Dataset, split: Split, kind: str, embargo_ms: int) -> None:
    train, test = dataset.take(split.train), dataset.take(split.test)
    starts, ends = train.closed_ms[:, None], train.until_ms[:, None]
    assert not ((starts <= test.until_ms) & (ends >= test.closed_ms)).any()
    if kind == "walk_forward":
        assert train.until_ms.max() < test.closed_ms.min() - embargo_ms or embargo_ms == 0
    else:
        # nothing trains within the embargo behind the last label of any test span
        late = starts - test.until_ms
        assert not ((late > 0) & (late <= embargo_ms)).any()
