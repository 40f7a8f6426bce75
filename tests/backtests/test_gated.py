"""Runs with limits: the same walk where they forbid nothing, and no fill that they forbid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests import execute as executing
from backtests import portfolio
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.gated import walk_gated
from backtests.signals import Signals
from mela.risk_limits import RiskLimits
from tests.backtests.kernel.test_bars import asked, inputs_on, market, run_on
from tests.backtests.random_accounts import accounts
from tests.backtests.test_stepping import SEEDS, laid_out

# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WIDE = RiskLimits(
    max_order_units=1e15,
    max_order_notional=1e15,
    min_order_notional=1e-12,
    price_collar=0.999,
    max_position_notional=1e15,
    max_position_share=1e9,
    max_gross=1e15,
    max_net=1e15,
    max_leverage=1e9,
    short_availability=True,
    max_open_orders=1_000,
    max_orders_per_minute=1_000,
    session_hours="wait",
    max_data_age_s=1e12,
    max_losses_in_a_row=10_000,
)


def walked_both_ways(seed: int, fields, limits: RiskLimits):
    """Walk random signals on a random market as a whole, and stepped through a gate."""
    rng = np.random.default_rng(seed)
    candles = market(rng)
    n, warmup = len(candles), int(rng.integers(0, len(candles) - 1))
    run = run_on(candles, warmup, fields)
    span = prepare_candles(candles, run)
    flags = rng.random((4, n)) < rng.choice([0.05, 0.2, 0.5], 4)[:, None]
    signals = Signals(*flags, **inputs_on(rng, candles))
    whole, stepped, remarks = Buffers.of(n), Buffers.of(n), []
    curves = np.zeros(span.bars), np.zeros(span.bars)
    walked = executing._walk_bars(span, run, signals, whole, curves[0])
    again = walk_gated(span, replace(run, risk=limits), signals, stepped, curves[1], remarks)
    return (walked, whole, curves[0]), (again, stepped, curves[1]), remarks, span


@law
@given(seed=SEEDS, fields=asked())
def test_limits_that_forbid_nothing_change_nothing(seed, fields) -> None:
    whole, gated, remarks, _ = walked_both_ways(seed, fields, WIDE)

    assert remarks == []
    assert gated[0] == whole[0]
    assert gated[2].tolist() == whole[2].tolist()
    periods, trades = whole[0].periods, whole[0].trades
    assert gated[1].period_equity[:periods].tolist() == whole[1].period_equity[:periods].tolist()
    assert gated[1].drawdown.tolist() == whole[1].drawdown.tolist()
    names = [name for name in whole[1].trades.dtype.names if name not in ("mae", "mfe")]
    assert gated[1].trades[names][:trades].tolist() == whole[1].trades[names][:trades].tolist()


@settings(law, max_examples=60)
@given(drawn=accounts())
def test_limits_that_forbid_nothing_change_nothing_in_an_account_of_several(drawn) -> None:
    laid, run, catalogue = laid_out(drawn)

    whole = portfolio._run_one(laid, run, True, catalogue)
    gated = portfolio._run_one(laid, replace(run, risk=WIDE), True, catalogue)

    assert gated.warnings == whole.warnings
    assert gated.metrics == whole.metrics or str(gated.metrics) == str(whole.metrics)
    if whole.curve is not None:
        assert gated.curve.equity.tolist() == whole.curve.equity.tolist()
        assert list(gated.curve.trades) == list(whole.curve.trades)
