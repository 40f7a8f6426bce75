"""backtests/portfolio.py: one account for several instruments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests.by_hand import MONDAY_MS, execute
from backtests.together_by_hand import execute_together
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval
from mela.portfolio import (
    EqualWeights,
    FixedWeights,
    InverseVolatility,
    OnDrift,
    OnSchedule,
    OnSignals,
    Portfolio,
)
from mela.result import Outcome, Status
from mela.run import Costs, Exits, FractionSizing
from tests.backtests.plain_account import walk_account

# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = ("a:X", "b:Y", "c:Z")
COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")


def still(price: float) -> tuple[float, float, float, float]:
    return price, price, price, price


def close_to(values):
    return pytest.approx(values, rel=1e-9, abs=1e-9)


def market(seed: int, bars: int, *, holidays: float = 0.0, silent: float = 0.0) -> Candles:
    """Return hourly candles that jump between close and open, some missing, some without volume."""
    chance = np.random.default_rng(seed)
    open_ = 100 * np.cumprod(1 + chance.normal(0, 0.03, bars))
    close = open_ * (1 + chance.normal(0, 0.03, bars))
    high = np.maximum(open_, close) * (1 + chance.random(bars) * 0.03)
    low = np.minimum(open_, close) * (1 - chance.random(bars) * 0.03)
    volume = np.where(chance.random(bars) < silent, 0.0, 1e6)
    there = chance.random(bars) >= holidays
    there[int(chance.integers(bars))] = True
    opened_ms = MONDAY_MS + HOUR_MS * np.arange(bars, dtype=np.int64)
    columns = (opened_ms, open_, high, low, close, volume)
    return Candles(Interval.H1, *(column[there] for column in columns))


def signals(seed: int, candles: Candles) -> tuple[list[int], list[int]]:
    chance = np.random.default_rng(seed + 1_000)
    enter = np.flatnonzero(chance.random(len(candles)) < 0.25)
    leave = np.flatnonzero(chance.random(len(candles)) < 0.2)
    return enter.tolist(), leave.tolist()


def weights_of(kind: str, names: tuple[str, ...]):
    if kind == "fixed":
        return FixedWeights(
            of={name: 0.9 / len(names) + 0.01 * at for at, name in enumerate(names)}
        )
    return InverseVolatility(period=3) if kind == "inverse_volatility" else EqualWeights()


@st.composite
def accounts(draw):
    """Draw instruments with holidays, their signals, and everything that can be asked."""
    seed, count = draw(st.integers(0, 2**31)), draw(st.integers(1, 3))
    names = NAMES[:count]
    holidays = draw(st.sampled_from([0.0, 0.3]))
    silent = draw(st.sampled_from([0.0, 0.2]))
    bars = draw(st.integers(2, 80))
    series = {
        name: market(seed + at, bars, holidays=holidays, silent=silent)
        for at, name in enumerate(names)
    }
    said = {name: signals(seed + at, series[name]) for at, name in enumerate(names)}
    steps = len(np.unique(np.concatenate([one.opened_ms for one in series.values()])))
    asked = {
        "weights": weights_of(
            draw(st.sampled_from(["equal", "fixed", "inverse_volatility"])), names
        ),
        "rebalance": draw(
            st.sampled_from(
                [OnSignals(), OnSchedule(every="1d"), OnSchedule(), OnDrift(threshold=0.0307)]
            )
        ),
        "warmup": draw(st.integers(0, min(10, steps - 1))),
        "fee": draw(st.sampled_from([0.0, 0.001, 0.05])),
        "slippage": draw(st.sampled_from([0.0, 0.0005, 0.02])),
        "costs": {"borrow_rate": draw(st.sampled_from([0.0, 0.1]))},
        "whole_units": draw(st.booleans()),
        "direction": draw(st.sampled_from(["long", "short", "both"])),
        "stop_loss": draw(st.sampled_from([None, 0.04])),
        "take_profit": draw(st.sampled_from([None, 0.05])),
        "trailing_stop": draw(st.sampled_from([None, 0.06])),
        "cooldown_bars": draw(st.sampled_from([0, 2])),
        "protect_from": draw(st.sampled_from(["entry", "next"])),
    }
    return series, said, asked


def executed(series, said, asked) -> Outcome:
    enter = {name: one[0] for name, one in said.items()}
    leave = {name: one[1] for name, one in said.items()}
    return execute_together(series, enter, leave, **asked)


def plainly(series, said, asked):
    steps = np.unique(np.concatenate([one.opened_ms for one in series.values()]))
    exits = ("stop_loss", "take_profit", "trailing_stop", "cooldown_bars", "protect_from")
    return walk_account(
        series,
        int(steps[asked["warmup"]]),
        {name: set(one[0]) for name, one in said.items()},
        {name: set(one[1]) for name, one in said.items()},
        cash=1_000.0,
        portfolio=Portfolio(weights=asked["weights"], rebalance=asked["rebalance"]),
        costs=Costs(fee=asked["fee"], slippage=asked["slippage"], **asked["costs"]),
        exits=Exits(**{name: asked[name] for name in exits}),
        whole=asked["whole_units"],
        direction=asked["direction"],
    )


@settings(law, max_examples=300)
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
    alone = {k: v for k, v in asked.items() if k not in ("weights", "rebalance", "whole_units")}
    alone["warmup"] = warmup

    together = execute_together({name: candles}, {name: enter}, {name: leave}, **alone)
    single = execute(candles, enter, leave, sizing=FractionSizing(fraction=1.0), **alone)

    np.testing.assert_allclose(together.curve.equity, single.curve.equity, rtol=1e-12)
    assert len(together.curve.trades) == len(single.curve.trades)
    for one, other in zip(together.curve.trades, single.curve.trades, strict=True):
        assert one[:2] == other[:2]
        assert one.exit_reason == other.exit_reason
        assert one[2:7] == pytest.approx(other[2:7], rel=1e-9, abs=1e-9)
    assert together.metrics == pytest.approx(single.metrics, rel=1e-9, nan_ok=True)
