"""Trials that are one count once, trials that are many count as many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from backtests.statistics.blocks import blocks_of
from backtests.statistics.sharpe import expected_max_sharpe
from backtests.statistics.trials import (
    Effective,
    clusters,
    effective_of,
    effective_trials,
    independent_trials,
)


def families(number: int, members: int, likeness: float, seed: int, periods: int = 480):
    """Return trials in families: of two of one the correlation is `likeness`, of others 0."""
    rng = np.random.default_rng(seed)
    core = np.repeat(rng.normal(size=(number, periods)), members, axis=0)
    own = rng.normal(size=(number * members, periods))
    return 0.01 * (np.sqrt(likeness) * core + np.sqrt(1 - likeness) * own)


def standardised(returns: np.ndarray) -> np.ndarray:
    rows = returns - returns.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def effective(returns: np.ndarray) -> Effective:
    return effective_of(returns, blocks_of(returns).sharpes(), returns.shape[1])


def plain_silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    values = []
    for i, own in enumerate(labels):
        same = (labels == own) & (np.arange(len(labels)) != i)
        if not same.any():
            values.append(0.0)
            continue
        inner = distances[i, same].mean()
        outer = min(distances[i, labels == one].mean() for one in set(labels) - {own})
        values.append((outer - inner) / max(inner, outer))
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(4))
def test_the_number_of_clusters_has_the_best_silhouette(seed: int) -> None:
    rows = standardised(families(5, 4, 0.3, seed, periods=100))

    labels = clusters(rows)

    correlations = np.corrcoef(rows)
    distances = np.sqrt(np.clip((1 - correlations) / 2, 0, 1))
    np.fill_diagonal(distances, 0.0)
    joins = linkage(squareform(distances, checks=False), method="average")
    tried = {k: fcluster(joins, k, "maxclust") for k in range(2, len(rows))}
    best = max(plain_silhouette(distances, cut) for cut in tried.values())
    assert plain_silhouette(distances, labels) == pytest.approx(best, rel=1e-9)
    assert sorted(set(labels)) == list(range(labels.max() + 1))


@pytest.mark.parametrize(("number", "members"), [(3, 20), (10, 10), (10, 40)])
def test_families_are_found(number: int, members: int) -> None:
    found = effective(families(number, members, 0.8, seed=1))

    assert found.clusters == number
    assert number <= found.n_effective < number * members / 2


def test_unlike_trials_count_each() -> None:
    assert effective(families(60, 1, 0.0, seed=2)).n_effective >= 50


def test_copies_count_once() -> None:
    one = families(1, 1, 0.0, seed=3)

    found = effective(np.repeat(one, 500, axis=0))

    assert (found.n_trials, found.distinct, found.n_effective) == (500, 1, 1)


def test_nearly_equal_trials_count_as_few() -> None:
    assert effective(families(1, 50, 0.999, seed=4)).n_effective <= 3


def test_the_luck_of_as_many_independent_trials_is_that_of_the_best() -> None:
    """Of equally correlated trials it is known: √(1 − ρ) × the luck of as many free ones."""
    found = effective(families(1, 40, 0.5, seed=5, periods=2_000))

    expected = np.sqrt(0.5) * expected_max_sharpe(40, 1.0)
    assert expected_max_sharpe(found.as_independent, 1.0) == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("number", [1, 2, 3, 17, 1_000, 123_456])
def test_the_number_of_independent_trials_inverts_their_luck(number: int) -> None:
    assert independent_trials(expected_max_sharpe(number, 1.0)) == number


def test_sixteen_blocks_tell_nearly_what_all_returns_tell() -> None:
    returns = families(4, 15, 0.9, seed=6)

    from_blocks = effective_trials(blocks_of(returns)).n_effective

    assert from_blocks == pytest.approx(effective(returns).n_effective, abs=6)


def test_variances_are_those_of_the_ratios() -> None:
    returns = families(3, 20, 0.9, seed=7)
    sharpes = blocks_of(returns).sharpes()

    found = effective(returns)

    assert found.variance_of_all == pytest.approx(np.var(sharpes, ddof=1))
    assert found.variance_by_luck == 1 / 479
    groups = clusters(standardised(returns))
    assert found.variance_of_clusters is not None
    assert found.variance_of_clusters <= np.var([sharpes[groups == g].min() for g in range(3)]) * 20


def test_trials_that_never_move_count_for_nothing() -> None:
    returns = families(3, 5, 0.9, seed=8)
    with_still = np.concatenate([returns, np.zeros((40, 480))])

    found = effective(with_still)

    assert (found.n_trials, found.moving) == (55, 15)
    assert found.n_effective == effective(returns).n_effective


@pytest.mark.parametrize("rows", [0, 1])
def test_never_fewer_than_one(rows: int) -> None:
    found = effective(np.zeros((rows, 480)))

    assert found.n_effective == 1
    assert found.variance_of_all is None


def test_twenty_thousand_trials_of_a_few_families_are_sampled() -> None:
    found = effective_trials(blocks_of(families(5, 4_000, 0.9, seed=9, periods=64)))

    assert found.distinct == 20_000
    assert 5 <= found.clusters <= 12
    assert not found.estimated
    assert found.n_effective < 500


def test_thousands_of_unlike_trials_are_extrapolated_and_say_so() -> None:
    found = effective_trials(blocks_of(families(6_000, 1, 0.0, seed=10, periods=64)))

    assert found.estimated
    assert found.n_effective > 600


def test_the_same_seed_gives_the_same() -> None:
    blocks = blocks_of(families(300, 4, 0.5, seed=11, periods=64))

    assert effective_trials(blocks, seed=3) == effective_trials(blocks, seed=3)


def test_a_trial_that_moves_within_blocks_alone_is_like_no_other() -> None:
    returns = families(2, 1, 0.0, seed=12, periods=64)
    within = np.tile([0.01, -0.01], 32)[None]

    found = effective_trials(blocks_of(np.concatenate([returns, within])))

    assert (found.moving, found.n_effective) == (3, 3)


def test_one_period_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 periods"):
        effective_of(np.ones((1, 1)), np.array([np.nan]), 1)
