"""The compiled validation against the same in plain loops over the returns."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from backtests.statistics.blocks import Blocks, blocks_of, edges
from backtests.statistics.pbo import overfitting


def plainly(returns: np.ndarray, blocks: int) -> tuple[float, float, float, float, int]:
    bounds = edges(returns.shape[1], blocks)
    parts = [np.arange(bounds[b], bounds[b + 1]) for b in range(blocks)]
    inside, outside, logits = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        others = [b for b in range(blocks) if b not in chosen]
        train = returns[:, np.concatenate([parts[b] for b in chosen])]
        test = returns[:, np.concatenate([parts[b] for b in others])]
        train_sr = train.mean(axis=1) / train.std(axis=1, ddof=1)
        test_sr = test.mean(axis=1) / test.std(axis=1, ddof=1)
        best = int(np.argmax(train_sr))
        relative = stats.rankdata(test_sr)[best] / (len(returns) + 1)
        inside.append(train_sr[best])
        outside.append(test_sr[best])
        logits.append(math.log(relative / (1 - relative)))
    slope = stats.linregress(inside, outside).slope
    share = float(np.mean(np.array(logits) <= 1e-12))
    return (
        share,
        float(np.median(logits)),
        slope,
        float(np.mean(np.array(outside) < 0)),
        len(inside),
    )


@pytest.mark.parametrize(("trials", "edge"), [(9, 0.0), (20, 0.002), (2, 0.0)])
def test_it_agrees_with_plain_loops(trials: int, edge: float) -> None:
    returns = np.random.default_rng(trials).normal(0.0, 0.01, (trials, 203))
    returns[0] += edge

    found = overfitting(blocks_of(returns, 8))

    pbo, logit, slope, loss, number = plainly(returns, 8)
    assert found.pbo == pytest.approx(pbo, abs=1e-12)
    assert found.median_logit == pytest.approx(logit, abs=1e-12)
    assert found.slope == pytest.approx(slope, rel=1e-9)
    assert found.probability_of_loss == pytest.approx(loss, abs=1e-12)
    assert found.combinations == number == 70


def test_sixteen_blocks_make_all_combinations() -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, (5, 320))

    assert overfitting(blocks_of(returns)).combinations == 12_870


def test_more_trials_than_stay_in_the_cache_are_each_compared() -> None:
    """The best trial is the last of 2,500, beyond the second chunk."""
    returns = np.random.default_rng(4).normal(0.0, 0.01, (2_500, 64))
    returns[-1] += 0.02

    found = overfitting(blocks_of(returns, 4))

    assert (found.pbo, found.probability_of_loss, found.trials) == (0.0, 0.0, 2_500)


def test_a_real_edge_is_not_overfitted_and_luck_is_by_half() -> None:
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(40):
        luck = overfitting(blocks_of(rng.normal(0.0, 0.01, (20, 160)), 8))
        assert luck.pbo is not None
        shares.append(luck.pbo)
    skilled = rng.normal(0.0, 0.01, (20, 640))
    skilled[4] += 0.004

    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)
    assert overfitting(blocks_of(skilled, 8)).pbo == 0.0


def test_trials_that_never_move_are_left_out() -> None:
    returns = np.random.default_rng(6).normal(0.0, 0.01, (6, 64))
    with_still = np.concatenate([returns[:2], np.zeros((3, 64)), returns[2:]])

    found, without = overfitting(blocks_of(with_still, 8)), overfitting(blocks_of(returns, 8))

    assert (found.trials, found.still) == (6, 3)
    assert (found.pbo, found.slope) == (without.pbo, without.slope)


@pytest.mark.parametrize("rows", [1, 0])
def test_one_trial_or_none_has_no_number_and_says_why(rows: int) -> None:
    found = overfitting(blocks_of(np.random.default_rng(7).normal(size=(rows, 64)), 8))

    assert found.pbo is None
    assert found.slope is None
    assert found.reason == f"it takes two trials that move to compare, and here are {rows}"


def test_equal_trials_share_the_middle_rank_which_counts_as_overfitted() -> None:
    one = np.random.default_rng(8).normal(0.0, 0.01, (1, 64))

    found = overfitting(blocks_of(np.repeat(one, 5, axis=0), 8))

    assert (found.pbo, found.median_logit) == (1.0, 0.0)


def test_a_trial_that_rests_in_one_half_has_a_ratio_of_zero_there() -> None:
    resting = np.zeros(64)
    resting[:32] = np.tile([0.02, 0.01], 16)
    losing = np.tile([-0.02, -0.01], 32)

    found = overfitting(blocks_of(np.array([resting, losing]), 2))

    assert (found.pbo, found.probability_of_loss) == (0.0, 0.0)


def test_an_odd_number_of_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="an even number of blocks"):
        overfitting(blocks_of(np.ones((2, 30)), 3))
    with pytest.raises(ValueError, match="at least 2 periods in each half"):
        overfitting(Blocks(np.ones((2, 2)), np.ones((2, 2)), np.array([1, 1])))


def test_the_same_again_is_the_same_to_the_bit() -> None:
    blocks = blocks_of(np.random.default_rng(9).normal(size=(30, 320)), 10)

    assert overfitting(blocks) == overfitting(blocks)
