"""A smaller `make bench ONLY=validation`: searches through the engine, with and without an edge."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from backtests.statistics.search_statistics import CERTAIN
from benchmarks.validation import (
    DAYS,
    PLANTED,
    searched,
    trending,
    trial_returns,
    true_sharpe,
    variants,
    wild,
)


def test_searches_without_an_edge_are_hardly_ever_certified() -> None:
    found = np.concatenate([searched(120, market, seed=5) for market in (trending, wild)])

    certified, alone = np.mean(found > CERTAIN, axis=0)

    assert certified <= 0.05
    assert alone > 0.2  # what the same winners look like when nothing is deflated


def test_a_large_edge_is_mostly_found_and_a_small_one_less_often() -> None:
    found = {
        planted: float(np.mean(searched(40, partial(trending, drift=drift), 6)[:, 0] > CERTAIN))
        for planted, drift in PLANTED.items()
    }

    assert found[3] > 0.8
    assert found[1] < found[2] < found[3]


def test_the_planted_ratios_are_what_they_are_called() -> None:
    for planted, drift in PLANTED.items():
        assert true_sharpe(drift, seed=planted, paths=15) == pytest.approx(planted, abs=0.3)


def test_without_a_drift_no_variant_earns_anything_in_the_long_run() -> None:
    rng = np.random.default_rng(7)
    parts = [trial_returns(trending(rng, DAYS), variants(DAYS)) for _ in range(60)]

    returns = np.concatenate(parts, axis=1)
    ratios = returns.mean(axis=1) / returns.std(axis=1) * np.sqrt(returns.shape[1])

    assert np.all(np.abs(ratios) < 3.5)
