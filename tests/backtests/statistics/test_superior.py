"""The test against `arch` itself, given leads that are divided by their deviation already."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import SPA, StepM

from backtests.statistics import superior as module
from backtests.statistics.superior import superior


def search(trials: int, periods: int, seed: int, **edges: float) -> tuple[np.ndarray, np.ndarray]:
    """Return trials and a benchmark; edges: t3=0.002 gives trial 3 so much more a period."""
    rng = np.random.default_rng(seed)
    benchmark = rng.normal(0.0, 0.01, periods)
    returns = rng.normal(0.0, 0.01, (trials, periods)) + 0.5 * benchmark
    for name, edge in edges.items():
        returns[int(name[1:])] += edge
    return returns, benchmark


@pytest.mark.parametrize(
    "edges", [{}, {"t3": 0.0015}, {"t3": 0.004, "t5": 0.003, "t7": -0.01}, {"t2": 0.001}]
)
def test_it_agrees_with_arch(edges: dict[str, float]) -> None:
    returns, benchmark = search(12, 300, seed=4, **edges)
    leads = returns - benchmark
    unscaled = SPA(np.zeros(300), -leads.T, block_size=6, reps=2)
    unscaled.compute()
    scaled = (leads / np.sqrt(unscaled._loss_diff_var)[:, None]).T

    found = superior(returns, benchmark, block=6, resamples=400, seed=9)

    made = {"block_size": 6, "reps": 400, "seed": np.random.default_rng(9)}
    spa = SPA(np.zeros(300), -scaled, **made)
    spa.compute()
    made["seed"] = np.random.default_rng(9)
    steps = StepM(np.zeros(300), -scaled, size=0.05, **made)
    steps.compute()
    assert found.p_value == pytest.approx(spa.pvalues["consistent"], abs=1e-12)
    assert found.p_lower == pytest.approx(spa.pvalues["lower"], abs=1e-12)
    assert found.p_upper == pytest.approx(spa.pvalues["upper"], abs=1e-12)
    assert list(found.superior) == steps.superior_models


def test_a_real_lead_is_found_and_named() -> None:
    found = superior(*search(20, 500, seed=5, t3=0.004, t11=0.003))

    assert found.p_value == 0.0
    assert found.superior == (3, 11)
    assert (found.tested, found.of, found.resamples) == (20, 20, 1_000)


def test_luck_is_rarely_called_superior() -> None:
    named = [bool(superior(*search(15, 200, seed=s), resamples=200).superior) for s in range(60)]

    assert sum(named) <= 8


def test_a_trial_that_shakes_more_needs_a_higher_mean() -> None:
    """Divided by their deviations a small steady lead beats a large shaky one."""
    rng = np.random.default_rng(6)
    benchmark = np.zeros(400)
    steady = 0.0005 + rng.normal(0.0, 0.002, 400)
    shaky = 0.002 + rng.normal(0.0, 0.08, 400)

    found = superior(np.array([shaky, steady]), benchmark)

    assert found.superior == (1,)
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_trials_equal_to_the_benchmark_are_left_out() -> None:
    returns, benchmark = search(5, 200, seed=7, t2=0.004)
    found = superior(np.concatenate([benchmark[None], returns]), benchmark)

    assert (found.tested, found.of, found.superior) == (5, 6, (3,))


def test_without_any_lead_there_is_no_number_and_a_reason() -> None:
    benchmark = np.random.default_rng(8).normal(size=50)

    found = superior(np.array([benchmark, benchmark]), benchmark)

    assert (found.p_value, found.superior) == (None, ())
    assert found.reason == "no trial moves otherwise than its benchmark over at least three periods"


def test_of_too_many_trials_the_best_and_a_sample_are_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MODELS", 10)

    found = superior(*search(60, 300, seed=10, t41=0.005))

    assert (found.tested, found.of) == (10, 60)
    assert 41 in found.superior


def test_the_same_seed_gives_the_same() -> None:
    given = search(10, 200, seed=11)

    assert superior(*given, seed=1) == superior(*given, seed=1)
    assert superior(*given, seed=1) != superior(*given, seed=2)


def test_a_benchmark_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a benchmark of 10 periods"):
        superior(np.ones((2, 10)), np.ones(9))
    with pytest.raises(ValueError, match="size must lie between 0 and 1"):
        superior(np.ones((2, 10)), np.ones(10), size=5)
