"""Returns by block: each counts once, where its last candle opened."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.metrics import BLOCKS, block_bounds, block_sums


def summed(returns: np.ndarray, bounds: np.ndarray) -> tuple[list, list, list]:
    rows = np.empty((3, BLOCKS))
    block_sums(returns, 0.0, bounds, rows)
    sums, squares, counts = rows.tolist()
    return sums, squares, counts


def test_a_block_is_a_sixteenth_of_the_span() -> None:
    bounds = block_bounds(np.arange(32), 0, 32)

    sums, squares, counts = summed(np.arange(32.0), bounds)

    assert sums == [4.0 * block + 1.0 for block in range(16)]
    assert squares[:2] == [1.0, 13.0]
    assert counts == [2] * 16


@pytest.mark.parametrize(("start", "end"), [(0, 1_000), (7, 1_007), (-500, 501), (0, 17)])
def test_a_time_belongs_to_the_block_that_its_share_of_the_span_names(start, end) -> None:
    times = np.arange(start, end)

    bounds = block_bounds(times, start, end)

    of_each = np.repeat(np.arange(16), np.diff(bounds))
    assert of_each.tolist() == [(time - start) * 16 // (end - start) for time in times.tolist()]


def test_a_block_without_candles_sums_to_nothing() -> None:
    sums, squares, counts = summed(np.array([0.5]), block_bounds(np.array([31]), 0, 32))

    assert (sums[-1], squares[-1], counts[-1]) == (0.5, 0.25, 1)
    assert (sum(sums), sum(squares), sum(counts)) == (0.5, 0.25, 1)


def test_a_run_that_ended_early_leaves_its_last_blocks_empty() -> None:
    sums, _, counts = summed(np.ones(3), block_bounds(np.arange(32), 0, 32))

    assert counts == [2, 1] + [0] * 14
    assert sums == counts


def test_blocks_give_mean_and_deviation_back() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.02, 777)

    sums, squares, counts = summed(returns, block_bounds(np.arange(777), 0, 777))

    mean = sum(sums) / sum(counts)
    assert mean == pytest.approx(returns.mean(), rel=1e-12)
    variance = (sum(squares) - sum(counts) * mean**2) / (sum(counts) - 1)
    assert variance == pytest.approx(returns.var(ddof=1), rel=1e-12)
