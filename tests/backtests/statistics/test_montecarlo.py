"""Resampled paths: what plain loops give, what stays the same, and what must spread."""

from __future__ import annotations

import json

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length

from backtests.statistics import montecarlo
from backtests.statistics.montecarlo import (
    LEVELS,
    _draw,
    block_length,
    resample,
    shuffle_trades,
    trade_returns,
)
from backtests.statistics.sharpe import moments

RETURNS = np.random.default_rng(1).normal(0.001, 0.01, 400)


def persistent(seed: int, periods: int = 2_000) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(0.0, 0.01, periods)
    values = np.zeros(periods)
    for at in range(1, periods):
        values[at] = 0.7 * values[at - 1] + shocks[at]
    return values


def test_a_risk_free_rate_lowers_the_sharpe_ratios_of_paths_and_nothing_else() -> None:
    plain, above = (resample(RETURNS, periods_per_year=365.0, risk_free=r) for r in (0.0, 0.001))

    assert above.total_return.values == plain.total_return.values
    less = resample(RETURNS - 0.001, periods_per_year=365.0, block=plain.block)
    assert above.sharpe.values == pytest.approx(less.sharpe.values, rel=1e-9)


def test_paths_are_what_plain_loops_draw() -> None:
    rng = np.random.default_rng(2)
    ends, begins = rng.random((20, 50)) < 0.2, rng.integers(0, 50, (20, 50))
    returns = RETURNS[:50]
    at = np.array([0, 10, 50])
    numbers, equity = np.empty((3, 20)), np.empty((20, 3))

    _draw(returns, 0.0, ends, begins, at, numbers, equity)

    for path in range(20):
        sources = [int(begins[path, 0])]
        for period in range(1, 50):
            sources.append(
                int(begins[path, period]) if ends[path, period] else (sources[-1] + 1) % 50
            )
        drawn = returns[sources]
        curve = np.concatenate([[1.0], np.cumprod(1.0 + drawn)])
        worst = (curve / np.maximum.accumulate(curve) - 1.0).min()
        assert numbers[0, path] == pytest.approx(curve[-1] - 1.0, rel=1e-12)
        assert numbers[1, path] == pytest.approx(worst, rel=1e-12)
        assert numbers[2, path] == pytest.approx(moments(drawn).sharpe, rel=1e-9)
        assert equity[path] == pytest.approx(curve[at], rel=1e-12)


def test_the_same_seed_gives_the_same_bits() -> None:
    once, again = (resample(RETURNS, periods_per_year=365.0, seed=7) for _ in range(2))

    assert once.document() == again.document()
    assert once.document() != resample(RETURNS, periods_per_year=365.0, seed=8).document()


def test_independent_returns_give_the_textbook_spread() -> None:
    found = resample(RETURNS, periods_per_year=365.0, block=1, paths=4_000)

    assert found.sharpe.values is not None
    low, _, middle, _, high = found.sharpe.values
    own = moments(RETURNS).sharpe
    error = np.sqrt((1 + own**2 / 2) / 400) * np.sqrt(365.0)
    assert middle == pytest.approx(own * np.sqrt(365.0), abs=0.15)
    assert high - low == pytest.approx(2 * 1.645 * error, rel=0.08)


def test_blocks_keep_the_dependence_that_single_returns_lose() -> None:
    returns = persistent(3)

    def width(block: int) -> float:
        found = resample(returns, periods_per_year=365.0, block=block).total_return.values
        assert found is not None
        return found[-1] - found[0]

    assert width(40) > 1.5 * width(1)


def test_the_block_length_is_archs() -> None:
    returns = persistent(4)

    assert block_length(returns) == round(optimal_block_length(returns)["stationary"].iloc[0]) > 10


@pytest.mark.parametrize("returns", [RETURNS[:29], np.zeros(100), np.full(50, 0.01)])
def test_few_or_still_returns_are_drawn_one_by_one(returns: np.ndarray) -> None:
    assert block_length(returns) == 1


@pytest.mark.parametrize("periods", [30, 31, 35, 60])
def test_short_series_have_a_block_length(periods: int) -> None:
    assert 1 <= block_length(RETURNS[:periods]) <= periods


def test_the_fan_begins_at_one_and_widens_to_the_final_equity() -> None:
    found = resample(RETURNS, periods_per_year=365.0)

    assert found.fan.shape == (5, 257)
    assert found.fan_periods[[0, -1]].tolist() == [0, 400]
    assert found.fan[:, 0].tolist() == [1.0] * 5
    assert found.total_return.values is not None
    assert (found.fan[:, -1] - 1.0).tolist() == pytest.approx(found.total_return.values)
    assert np.all(np.diff(found.fan, axis=0) >= 0)


def test_cagr_is_of_the_span_given() -> None:
    found = resample(RETURNS, periods_per_year=365.0, years=2.0)

    assert found.total_return.values is not None
    assert found.cagr.values is not None
    assert found.cagr.values == pytest.approx(
        [(1 + r) ** 0.5 - 1 for r in found.total_return.values]
    )


def test_paths_drawn_in_parts_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(montecarlo, "DRAWN_AT_ONCE", 4_100)

    found = resample(RETURNS, periods_per_year=365.0, paths=57, block=3)

    assert found.paths == 57
    assert 0.0 < found.loss_probability < 1.0


def test_still_returns_have_no_sharpe_ratio() -> None:
    found = resample(np.zeros(10), periods_per_year=365.0, paths=5)

    assert found.sharpe.values is None
    assert found.max_drawdown.values == (0.0,) * 5
    assert json.loads(json.dumps(found.document(), allow_nan=False))["sharpe"]["values"] is None


def test_too_little_to_draw_from_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 finite returns"):
        resample(np.array([0.1]), periods_per_year=365.0)
    with pytest.raises(ValueError, match="at least 2 finite returns"):
        resample(np.array([0.1, np.nan]), periods_per_year=365.0)
    with pytest.raises(ValueError, match="block and paths of at least 1"):
        resample(RETURNS, periods_per_year=365.0, block=0)
    with pytest.raises(ValueError, match="at least 1 finite return"):
        shuffle_trades(np.empty(0))


def test_profits_become_returns_on_the_equity_before_them() -> None:
    profits = np.array([100.0, -220.0, 88.0])

    found = trade_returns(profits, cash=1_000.0)

    assert found == pytest.approx([0.1, -0.2, 0.1])
    assert 1_000.0 * np.prod(1 + found) == pytest.approx(1_000.0 + profits.sum())


def test_the_order_of_trades_moves_the_drawdown_and_nothing_else() -> None:
    found = shuffle_trades(np.array([0.5, -0.5]), shuffles=400)

    assert found.max_drawdown.values is not None
    assert set(found.max_drawdown.values) == {-0.5}
    assert found.final_equity == 0.75
    assert found.drawn_final_equity.values is not None
    assert set(found.drawn_final_equity.values) <= {0.25, 0.75, 2.25}
    assert (found.drawn_final_equity.values[0], found.drawn_final_equity.values[-1]) == (0.25, 2.25)


def test_all_orders_of_three_trades_come_about_equally_often() -> None:
    returns = np.array([0.25, -0.2, -0.5])
    drawdowns = []
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        curve = np.concatenate([[1.0], np.cumprod(1.0 + returns[list(order)])])
        drawdowns.append((curve / np.maximum.accumulate(curve) - 1.0).min())

    found = shuffle_trades(returns, shuffles=6_000).max_drawdown

    assert found.values == pytest.approx(np.quantile(np.repeat(drawdowns, 1_000), LEVELS), abs=0.02)


def test_shuffling_is_the_same_for_the_same_seed() -> None:
    assert shuffle_trades(RETURNS, seed=3) == shuffle_trades(RETURNS, seed=3)
    assert json.dumps(shuffle_trades(RETURNS[:9]).document(), allow_nan=False)
