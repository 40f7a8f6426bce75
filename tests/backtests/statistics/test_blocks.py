"""From block sums follows what the returns themselves give."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.statistics.blocks import Blocks, blocks_of, edges
from backtests.statistics.sharpe import moments


def test_ratios_from_block_sums_are_those_of_the_returns() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, (7, 101))

    found = blocks_of(returns)

    assert found.sharpes() == pytest.approx([moments(one).sharpe for one in returns], rel=1e-10)
    assert found.counts.sum() == 101
    assert found.sums.sum(axis=1) == pytest.approx(returns.sum(axis=1))
    assert found.sums[2, 3] == pytest.approx(returns[2, edges(101)[3] : edges(101)[4]].sum())


def test_blocks_differ_by_one_period_at_most() -> None:
    lengths = np.diff(edges(1_095))

    assert lengths.min() == 68
    assert lengths.max() == 69


def test_a_trial_that_never_moves_has_no_ratio() -> None:
    found = blocks_of(np.array([[0.0] * 32, [0.01] * 32, [0.01, 0.02] * 16])).sharpes()

    assert np.isnan(found).tolist() == [True, True, False]


def test_some_trials_can_be_taken_out() -> None:
    found = blocks_of(np.arange(64.0).reshape(2, 32)).at(np.array([False, True]))

    assert len(found) == 1
    assert found.sums.sum() == np.arange(32.0, 64.0).sum()


def test_blocks_that_contradict_each_other_are_refused() -> None:
    two = np.ones((3, 2))
    with pytest.raises(ValueError, match="one shape"):
        Blocks(two, np.ones((3, 4)), np.array([1, 1]))
    with pytest.raises(ValueError, match="counts of at least 1 for each of 2 blocks"):
        Blocks(two, two, np.array([1, 0]))
    with pytest.raises(ValueError, match="finite sums"):
        Blocks(two * np.nan, two, np.array([1, 1]))
    with pytest.raises(ValueError, match="at least 16 periods"):
        blocks_of(np.ones((1, 15)))
