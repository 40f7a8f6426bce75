"""Folds by hand, and the laws that hold for all of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtests.search.folds import Fold, chain, chained_returns, folds, within
from mela.interval import DAY_MS, HOUR_MS, Interval


def days(*at: int) -> Fold:
    return Fold(*(day * DAY_MS for day in at))


def test_rolling_folds_move_both_windows() -> None:
    found = folds(0, 10 * DAY_MS, Interval.D1, train=4, test=3)

    assert found == (days(0, 4, 4, 7), days(3, 7, 7, 10))


def test_anchored_folds_train_from_the_start() -> None:
    found = folds(0, 10 * DAY_MS, Interval.D1, train=4, test=3, anchored=True)

    assert found == (days(0, 4, 4, 7), days(0, 7, 7, 10))


def test_an_embargo_lies_between_training_and_test() -> None:
    found = folds(0, 10 * DAY_MS, Interval.D1, train=4, test=3, embargo=2)

    assert found == (days(0, 4, 6, 9), days(3, 7, 9, 10))


def test_the_last_test_ends_with_the_span() -> None:
    assert folds(0, 9 * DAY_MS, Interval.D1, train=4, test=3)[-1] == days(3, 7, 7, 9)


def test_months_are_as_long_as_they_are() -> None:
    january, end = 0, 365 * DAY_MS

    found = folds(january, end, Interval.MO1, train=6, test=3)

    assert found == (days(0, 181, 181, 273), days(90, 273, 273, 365))


@given(
    count=st.integers(2, 500),
    train=st.integers(1, 100),
    test=st.integers(1, 100),
    embargo=st.integers(0, 20),
    anchored=st.booleans(),
    start=st.integers(0, 10**6),
)
def test_no_fold_sees_its_test(
    count: int, train: int, test: int, embargo: int, anchored: bool, start: int
) -> None:
    end = start + count * HOUR_MS
    if count <= train + embargo:
        with pytest.raises(ValueError, match="Make it longer"):
            folds(start, end, Interval.H1, train, test, anchored=anchored, embargo=embargo)
        return

    found = folds(start, end, Interval.H1, train, test, anchored=anchored, embargo=embargo)

    assert found[0].train_start_ms == start
    assert found[-1].test_end_ms == end
    for fold in found:
        assert fold.train_end_ms + embargo * HOUR_MS == fold.test_start_ms < fold.test_end_ms
        assert fold.train_end_ms - fold.train_start_ms >= train * HOUR_MS
        assert anchored or fold.train_end_ms - fold.train_start_ms == train * HOUR_MS
    for before, after in pairwise(found):
        assert before.test_end_ms == after.test_start_ms
        assert before.test_end_ms - before.test_start_ms == test * HOUR_MS


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="train and test of at least 1"):
        folds(0, DAY_MS, Interval.D1, train=0, test=1)
    with pytest.raises(ValueError, match="needs more than 5, but the span has 5 of 1d"):
        folds(0, 5 * DAY_MS, Interval.D1, train=5, test=1)
    with pytest.raises(ValueError, match="at most 10000 folds"):
        folds(0, 20_000 * DAY_MS, Interval.D1, train=5, test=1)


def test_folds_are_chained_by_return() -> None:
    found = chain([np.array([110.0, 120.0]), np.array([50.0]), np.array([200.0])], cash=100.0)

    assert found.tolist() == [110.0, 120.0, 60.0, 120.0]
    assert chain([], cash=100.0).tolist() == []


def test_chained_returns_give_the_chained_equity() -> None:
    parts = [np.array([110.0, 99.0]), np.array([120.0, 60.0])]
    returns = [np.diff(part, prepend=100.0) / np.array([100.0, part[0]]) for part in parts]

    found = chained_returns(returns)

    assert 100 * np.cumprod(1 + found) == pytest.approx(chain(parts, cash=100.0))
    assert chained_returns([]).tolist() == []


def test_trades_across_a_border_are_purged() -> None:
    entries = np.array([-1, 0, 5, 8, 10])
    exits = np.array([3, 4, 9, 10, 12])

    assert within(entries, exits, 0, 10).tolist() == [False, True, True, False, False]
