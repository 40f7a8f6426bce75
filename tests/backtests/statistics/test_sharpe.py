"""The formulas against the papers' own numbers, scipy's moments and a simulation of luck."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from backtests.statistics.sharpe import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)

PAPER = Moments(n=1250, sharpe=2.5 / math.sqrt(250), skew=-3.0, kurtosis=10.0)
NORMAL = Moments(n=1250, sharpe=2.5 / math.sqrt(250), skew=0.0, kurtosis=3.0)


def test_the_example_of_the_deflated_sharpe_paper() -> None:
    assert expected_max_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)


def test_with_46_trials_or_with_normal_returns_and_88_the_paper_is_just_convinced() -> None:
    assert deflated_sharpe(PAPER, 46, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)
    assert deflated_sharpe(NORMAL, 88, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_records_of_the_efficient_frontier_paper(per_year: int, years: float) -> None:
    """An annual ratio of 2 is to prove that the true one is above 1, with normal returns."""
    found = Moments(n=0, sharpe=2 / math.sqrt(per_year), skew=0.0, kurtosis=3.0)

    record = minimum_track_record(found, 1 / math.sqrt(per_year))

    assert record / per_year == pytest.approx(years, abs=0.005)


def test_a_minimum_track_record_is_just_enough() -> None:
    needed = minimum_track_record(PAPER, benchmark=0.1)

    enough = Moments(math.ceil(needed), PAPER.sharpe, PAPER.skew, PAPER.kurtosis)
    short = Moments(math.ceil(needed) - 1, PAPER.sharpe, PAPER.skew, PAPER.kurtosis)

    assert probabilistic_sharpe(short, 0.1) < 0.95 <= probabilistic_sharpe(enough, 0.1)


def test_no_track_record_proves_a_ratio_that_is_not_there() -> None:
    assert minimum_track_record(PAPER, benchmark=0.2) == math.inf


def test_moments_are_scipys() -> None:
    returns = np.random.default_rng(1).standard_t(5, 500) * 0.01 + 0.001

    found = moments(returns)

    assert found.n == 500
    assert found.sharpe == pytest.approx(np.mean(returns) / np.std(returns, ddof=1), rel=1e-12)
    assert found.skew == pytest.approx(stats.skew(returns), rel=1e-12)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-12)


def test_a_probability_is_that_of_the_normal_distribution() -> None:
    ratio, skew, kurtosis, n = 0.1, -0.5, 6.0, 300
    error = math.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (n - 1))

    found = probabilistic_sharpe(Moments(n, ratio, skew, kurtosis), benchmark=0.02)

    assert found == pytest.approx(stats.norm.cdf((ratio - 0.02) / error), rel=1e-12)


def test_the_probability_is_right_as_often_as_it_says() -> None:
    """Of many series without edge a twentieth has a probability above 95 %."""
    series = np.random.default_rng(2).normal(0.0, 0.01, (4_000, 300))

    above = np.mean([probabilistic_sharpe(moments(one)) > 0.95 for one in series])

    assert above == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("trials", [5, 50, 1_000])
def test_the_luck_of_the_best_is_what_simulation_gives(trials: int) -> None:
    drawn = np.random.default_rng(trials).normal(0.0, 0.3, (4_000, trials)).max(axis=1).mean()

    assert expected_max_sharpe(trials, 0.09) == pytest.approx(drawn, rel=0.03)


def test_one_trial_has_no_luck_and_more_trials_have_more() -> None:
    luck = [expected_max_sharpe(trials, 1.0) for trials in (1, 2, 3, 10, 10**6, 10**15)]

    assert luck[0] == 0.0
    assert luck == sorted(luck)
    assert deflated_sharpe(PAPER, 1, 1.0) == probabilistic_sharpe(PAPER)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01]])
def test_what_never_moves_has_no_ratio(returns: list[float]) -> None:
    found = moments(np.array(returns))

    assert math.isnan(found.sharpe)
    assert math.isnan(probabilistic_sharpe(found))
    assert math.isnan(deflated_sharpe(found, 10, 0.1))
    assert math.isnan(minimum_track_record(found))


def test_a_variance_that_comes_out_negative_gives_no_probability() -> None:
    assert math.isnan(probabilistic_sharpe(Moments(100, sharpe=1.0, skew=3.0, kurtosis=3.0)))


def test_impossible_numbers_of_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 trial"):
        expected_max_sharpe(0, 1.0)
    with pytest.raises(ValueError, match="variance of at least 0"):
        expected_max_sharpe(5, math.nan)
    with pytest.raises(ValueError, match="confidence must lie"):
        minimum_track_record(PAPER, confidence=95.0)
