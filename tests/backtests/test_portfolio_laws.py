"""Laws of one account for several instruments, on random accounts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests.testing.instrument import execute
from backtests.testing.portfolio import execute_together
from mela.portfolio import Portfolio
from mela.result import Status
from mela.run import Costs, Exits, FractionSizing, from_ms
from tests.backtests.kernel.plain_account import walk_account
from tests.backtests.random_accounts import INPUTS, NAMES, accounts, close_to, executed, first

NOT_ALONE = ("weights", "rebalance", "whole_units", "delisted")
# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plainly(series, said, asked):
    steps = np.unique(np.concatenate([one.opened_ms for one in series.values()]))
    exits = (
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "trailing_start",
        "targets",
        "cooldown_bars",
        "protect_from",
    )
    return walk_account(
        series,
        int(steps[asked["warmup"]]),
        {name: set(one[0]) for name, one in said.items()},
        {name: set(one[1]) for name, one in said.items()},
        cash=1_000.0,
        portfolio=Portfolio(
            weights=asked["weights"], rebalance=asked["rebalance"], delisted=asked["delisted"]
        ),
        costs=Costs(fee=asked["fee"], slippage=asked["slippage"], **asked["costs"]),
        exits=Exits(**{name: asked[name] for name in exits}),
        whole=asked["whole_units"],
        direction=asked["direction"],
        inputs={
            kind: {
                name: {bar: value for bar, value in enumerate(values) if not math.isnan(value)}
                for name, values in (asked[kind] or {}).items()
            }
            for kind in INPUTS
        },
    )


@settings(law, max_examples=200)
@given(accounts())
def test_the_kernel_is_the_page_read_step_by_step(drawn) -> None:
    outcome, account = executed(*drawn), plainly(*drawn)

    assert outcome.error is None
    assert outcome.curve.equity.tolist() == close_to(account.equity)
    trades = sorted(account.trades, key=lambda trade: (trade[2], trade[0]))
    found = sorted(outcome.curve.trades, key=lambda trade: (trade.exit_at, trade.instrument))
    assert [
        (t.instrument, int(t.entry_at.timestamp() * 1e3), int(t.exit_at.timestamp() * 1e3))
        for t in found
    ] == [trade[:3] for trade in trades]
    assert [t.exit_reason for t in found] == [trade[-1] for trade in trades]
    for trade, other in zip(found, trades, strict=True):
        assert trade[2:7] == close_to(other[3:8])
    assert outcome.metrics.fees_paid == close_to(account.fees)
    assert outcome.metrics.ambiguous_bars == account.ambiguous
    assert outcome.metrics.rejected_orders == account.rejected
    assert (outcome.status is Status.RUINED) == (account.equity[-1] <= 0)
    if drawn[2]["direction"] == "long":
        assert account.least_cash >= -1e-9


@settings(law, max_examples=80)
@given(accounts())
def test_one_instrument_with_all_the_weight_is_a_run_of_its_own(drawn) -> None:
    series, said, asked = drawn
    name, candles = NAMES[0], series[NAMES[0]]
    enter, leave = said[name]
    candles = replace(candles, volume=np.ones(len(candles)))
    warmup = min(asked["warmup"], len(candles) - 1)
    alone = {k: v for k, v in asked.items() if k not in NOT_ALONE}
    alone["warmup"] = warmup
    if asked["direction"] == "both":  # an account's shares are of its worth before a reversal
        asked, alone = {**asked, "strength": None}, {**alone, "strength": None}
    levels = {kind: (asked[kind] or {}).get(name) for kind in INPUTS}

    together = execute_together({name: candles}, {name: enter}, {name: leave}, **alone)
    single = execute(candles, enter, leave, sizing=FractionSizing(fraction=1.0), **alone | levels)

    np.testing.assert_allclose(together.curve.equity, single.curve.equity, rtol=1e-12)
    assert len(together.curve.trades) == len(single.curve.trades)
    for one, other in zip(together.curve.trades, single.curve.trades, strict=True):
        assert one[:2] == other[:2]
        assert one.exit_reason == other.exit_reason
        assert one[2:7] == pytest.approx(other[2:7], rel=1e-9, abs=1e-9)
    assert together.metrics == pytest.approx(single.metrics, rel=1e-9, nan_ok=True)


@settings(law, max_examples=60)
@given(accounts(), st.floats(0.2, 0.9))
def test_what_comes_later_changes_nothing_before(drawn, share: float) -> None:
    series, said, asked = drawn
    steps = np.unique(np.concatenate([one.opened_ms for one in series.values()]))
    # that candles end is known by those that are missing: `hold` has no such rule
    asked = asked | {"delisted": "hold"}
    cut = max(int(len(steps) * share), asked["warmup"] + 1)
    end_ms = int(steps[cut - 1]) + 1
    short = {name: first(one, end_ms) for name, one in series.items()}

    whole = executed(series, said, asked).curve
    part = executed(short, said, asked).curve

    bars = min(len(part.equity), len(whole.equity))
    assert part.equity[:bars].tolist() == whole.equity[:bars].tolist()
    ended = [trade for trade in whole.trades if trade.exit_at <= from_ms(end_ms)]
    assert list(part.trades) == ended


@settings(law, max_examples=60)
@given(accounts())
def test_the_order_of_the_instruments_does_not_matter(drawn) -> None:
    series, said, asked = drawn
    turned = dict(reversed(series.items()))

    one, other = executed(series, said, asked), executed(turned, said, asked)

    assert one.curve.equity.tolist() == close_to(other.curve.equity.tolist())
    assert one.metrics.trades == other.metrics.trades


@settings(law, max_examples=60)
@given(accounts())
def test_the_account_adds_up(drawn) -> None:
    """What was won and lost is what the trades won and lost, once nothing is held any more."""
    series, said, asked = drawn
    enter = {
        name: [bar for bar in one[0] if bar < len(series[name]) - 3] for name, one in said.items()
    }
    leave = {name: list(range(max(len(one) - 3, 0), len(one))) for name, one in series.items()}
    asked = {**asked, "direction": "long"}

    found = execute_together(series, enter, leave, **asked)

    if found.metrics.open_trades == 0 and found.status is Status.SUCCEEDED:
        won = sum(trade.profit for trade in found.curve.trades)
        assert found.metrics.final_equity == close_to(1_000.0 + won)
        assert sum(trade.fees for trade in found.curve.trades) == close_to(found.metrics.fees_paid)
