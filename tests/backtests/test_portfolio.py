"""backtests/portfolio.py: one account for several instruments."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backtests.portfolio import run_together, warm_accounts
from backtests.signals import Weights
from backtests.strategy import Strategy
from backtests.testing import portfolio as together_by_hand
from backtests.testing.instrument import MONDAY_MS, candles_of, execute
from backtests.testing.portfolio import execute_together
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
    StrategyWeights,
)
from mela.result import Outcome, Status
from mela.run import Costs, Exits, FractionSizing, Part, Run, from_ms
from mela.settings import REPOSITORY
from tests.backtests.kernel.plain_account import walk_account

# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = ("a:X", "b:Y", "c:Z")
NOT_ALONE = ("weights", "rebalance", "whole_units", "delisted")
INPUTS = ("strength", "stop", "target")
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
    volume[np.flatnonzero(there)[-1]] = 1e6  # a series without any volume is another rule
    opened_ms = MONDAY_MS + HOUR_MS * np.arange(bars, dtype=np.int64)
    columns = (opened_ms, open_, high, low, close, volume)
    return Candles(Interval.H1, *(column[there] for column in columns))


def signals(seed: int, candles: Candles) -> tuple[list[int], list[int]]:
    chance = np.random.default_rng(seed + 1_000)
    enter = np.flatnonzero(chance.random(len(candles)) < 0.25)
    leave = np.flatnonzero(chance.random(len(candles)) < 0.2)
    return enter.tolist(), leave.tolist()


def inputs(seed: int, candles: Candles) -> dict[str, list[float]]:
    """Return strengths, and levels on either side of the market, some of which are none."""
    chance = np.random.default_rng(seed + 2_000)
    n = len(candles)
    levels = candles.close * (1 + chance.normal(0, 0.04, (2, n)))
    levels[chance.random((2, n)) < 0.5] = np.nan
    return {
        "strength": chance.choice([0.2, 0.55, 1.0], n).tolist(),
        "stop": levels[0].tolist(),
        "target": levels[1].tolist(),
    }


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
        "delisted": draw(st.sampled_from(["close", "hold"])),
        "direction": draw(st.sampled_from(["long", "short", "both"])),
        "stop_loss": draw(st.sampled_from([None, 0.04])),
        "take_profit": draw(st.sampled_from([None, 0.05])),
        "trailing_stop": draw(st.sampled_from([None, 0.06])),
        "trailing_start": draw(st.sampled_from([0.0, 0.03])),
        "cooldown_bars": draw(st.sampled_from([0, 2])),
        "protect_from": draw(st.sampled_from(["entry", "next"])),
    }
    drawn = {name: inputs(seed + at, series[name]) for at, name in enumerate(names)}
    for kind in INPUTS:
        some = [name for name in names if draw(st.booleans())]
        asked[kind] = {name: drawn[name][kind] for name in some} or None
    return series, said, asked


def executed(series, said, asked) -> Outcome:
    enter = {name: one[0] for name, one in said.items()}
    leave = {name: one[1] for name, one in said.items()}
    return execute_together(series, enter, leave, **asked)


def plainly(series, said, asked):
    steps = np.unique(np.concatenate([one.opened_ms for one in series.values()]))
    exits = (
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "trailing_start",
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


def first(candles: Candles, before_ms: int) -> Candles:
    count = int(np.searchsorted(candles.opened_ms, before_ms))
    return replace(candles, **{name: getattr(candles, name)[:count] for name in COLUMNS})


@settings(law, max_examples=60)
@given(accounts(), st.floats(0.2, 0.9))
def test_what_comes_later_changes_nothing_before(drawn, share: float) -> None:
    series, said, asked = drawn
    # whether a series has volumes at all is known from the whole of it: here all candles have one
    series = {name: replace(one, volume=np.ones(len(one))) for name, one in series.items()}
    steps = np.unique(np.concatenate([one.opened_ms for one in series.values()]))
    # that candles end is known by those that are missing: `hold` has no such rule
    asked = asked | {"delisted": "hold"}
    cut = max(int(len(steps) * share), asked["warmup"] + 1)
    end_ms = int(steps[cut - 1]) + 1
    short = {name: first(one, end_ms) for name, one in series.items()}

    # an instrument without candles in the span has no share of the weights
    assume(all(len(one) and one.opened_ms[-1] >= steps[asked["warmup"]] for one in short.values()))

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


def test_the_strength_of_an_entry_scales_its_weight() -> None:
    rows = {name: [still(100)] * 3 for name in ("a:X", "a:Y")}
    found = execute_together(
        rows, {name: [0] for name in rows}, {"a:X": [1]}, strength={"a:X": [0.25, 1.0, 1.0]}
    )
    assert found.curve.trades[0].size == 1.25  # a quarter of 500
    assert found.curve.equity.tolist() == [1_000.0] * 3


def test_a_level_holds_over_steps_at_which_its_instrument_has_no_candle() -> None:
    x, y = candles_of([still(100)] * 4), candles_of([still(100)] * 3 + [(100, 100, 80, 90)])
    seen = np.array([0, 1, 3])
    y = replace(y, **{name: getattr(y, name)[seen] for name in COLUMNS})
    found = execute_together(
        {"a:X": x, "a:Y": y}, {"a:Y": [0]}, stop={"a:Y": [math.nan, 95.0, math.nan]}
    )
    (trade,) = found.curve.trades
    assert (trade.exit_reason, trade.exit_price) == ("stop_loss", 95.0)


def test_a_minimum_fee_is_paid_by_each_fill() -> None:
    rows = [still(100)] * 3
    found = execute_together(
        {"a:X": rows, "a:Y": rows}, {"a:X": [0], "a:Y": [0]}, costs={"minimum_fee": 10.0}
    )
    assert found.metrics.fees_paid == 20.0
    assert found.curve.equity.tolist() == [1_000.0, 980.0, 980.0]


def test_a_partial_sale_below_the_minimum_fee_is_left_out() -> None:
    rows = {"a:X": [still(100), still(100), *[still(101)] * 3], "a:Y": [still(100)] * 5}
    both = {"a:X": [0], "a:Y": [0]}
    daily = OnSchedule(every="1d")
    cheap = execute_together(rows, both, rebalance=daily, costs={"minimum_fee": 1.0})
    dear = execute_together(rows, both, rebalance=daily, costs={"minimum_fee": 20.0})
    assert cheap.metrics.fees_paid == 4.0  # two entries, then a sale and a purchase worth 2.49
    assert dear.metrics.fees_paid == 40.0


def test_a_short_pays_for_what_it_borrows() -> None:
    rows = [still(100)] * 4
    found = execute_together(
        {"a:X": rows, "a:Y": rows},
        {},
        {"a:X": [0]},
        direction="short",
        costs={"borrow_rate": 0.365_25},
    )
    # half of the account, three days: 0.36525 / 365.25 a day of 500
    assert found.curve.equity.tolist() == close_to([1_000.0, 999.5, 999.0, 998.5])
    assert found.metrics.borrow_paid == close_to(1.5)


def test_an_account_that_is_worth_nothing_ends_as_ruined() -> None:
    rows = [still(100), still(100), still(250), still(100)]
    found = execute_together(
        {"a:X": rows}, {}, {"a:X": [0]}, direction="short", costs={"borrow_rate": 0.0}
    )
    assert found.status is Status.RUINED
    assert found.curve.equity.tolist() == [1_000.0, 1_000.0, -500.0]


def test_a_month_begins_at_its_first_open() -> None:
    """The fill is at the open of the first of February; the close before it is not asked."""
    prices = [100.0] * 2 + [200.0] * 29 + [300.0, 100.0]
    rows = {"a:X": [still(price) for price in prices], "a:Y": [still(100)] * 33}
    found = execute_together(rows, {"a:X": [0], "a:Y": [0]}, rebalance=OnSchedule(every="1mo"))
    assert found.curve.equity[-3:].tolist() == close_to([1_500.0, 2_000.0, 1_000 + 1_000 / 3])


def run_of(*names: str, **changes) -> Run:
    return Run(
        "0" * 64,
        names[0],
        Interval.D1,
        from_ms(MONDAY_MS),
        from_ms(MONDAY_MS + 24 * HOUR_MS * 200),
        "sma_cross",
        {"fast": 2, "slow": 5},
        64,
        others=names[1:],
        portfolio=Portfolio(),
        **changes,
    )


def days(*prices: float) -> Candles:
    return candles_of([still(price) for price in prices])


def test_a_registered_strategy_runs_on_an_account_and_says_what_was_missing() -> None:
    up_and_down = days(*(100 + 20 * np.sin(np.arange(100) / 5)))
    series = {"a:X": up_and_down, "a:Y": days(*[50.0] * 60)}
    [found] = run_together(series, [run_of("a:X", "a:Y")])
    assert found.status is Status.SUCCEEDED
    assert (found.metrics.trades, found.metrics.open_trades) == (2, 1)
    assert (found.candles, found.warmup_missing, found.depends_from_ms) == (100, 64, None)
    assert "ends_early" in found.warnings
    assert found.curve is None


def test_the_metrics_are_the_same_with_and_without_a_curve() -> None:
    series = {"a:X": days(*(100 + 20 * np.sin(np.arange(90) / 5))), "a:Y": days(*range(1, 91))}
    [bare], [full] = (
        run_together(series, [run_of("a:X", "a:Y")], with_curve=curve) for curve in (False, True)
    )
    assert repr(bare.metrics) == repr(full.metrics)
    assert full.curve.equity[-1] == full.metrics.final_equity


def test_an_instrument_without_candles_stays_cash_and_is_told() -> None:
    empty = replace(first(days(1.0), MONDAY_MS), calendar="24/7")
    series = {"a:X": days(*(100 + 20 * np.sin(np.arange(100) / 5))), "a:Y": empty}
    [found] = run_together(series, [run_of("a:X", "a:Y")])
    assert found.status is Status.SUCCEEDED
    assert "instrument_without_candles" in found.warnings
    assert found.metrics.exposure_time > 0
    [nothing] = run_together({"a:X": empty, "a:Y": empty}, [run_of("a:X", "a:Y")])
    assert (nothing.status, nothing.metrics) == (Status.NO_DATA, None)


def test_markets_of_different_hours_are_told() -> None:
    series = {"a:X": days(*[100.0] * 9), "a:Y": replace(days(*[100.0] * 9), calendar="XNYS")}
    [found] = run_together(series, [run_of("a:X", "a:Y")])
    assert "sessions_differ" in found.warnings


def test_what_is_wrong_with_one_instrument_fails_the_run_by_name() -> None:
    bad = days(100.0, 100.0, 100.0)
    bad = replace(bad, close=np.array([100.0, np.nan, 100.0]))
    [found] = run_together({"a:X": days(1.0, 2.0, 3.0), "a:Y": bad}, [run_of("a:X", "a:Y")])
    assert found.status is Status.FAILED
    assert found.error is not None
    assert "a:Y" in found.error[1]
    assert "row 1" in found.error[1]


def test_a_strategy_that_is_unknown_fails_its_run_alone() -> None:
    series = {"a:X": days(*range(1, 90)), "a:Y": days(*range(1, 90))}
    wrong, right = run_together(
        series, [replace(run_of("a:X", "a:Y"), strategy="none"), run_of("a:X", "a:Y")]
    )
    assert (wrong.status, right.status) == (Status.FAILED, Status.SUCCEEDED)


def test_accounts_are_warmed_up_without_an_error() -> None:
    warm_accounts()


def test_every_example_of_the_page_holds() -> None:
    page = str(REPOSITORY / "docs" / "portfolio.md")
    failed, tried = doctest.testfile(page, module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 30
    assert doctest.testmod(together_by_hand).failed == 0


def test_an_order_that_waits_counts_for_no_drift_but_is_restored_with_the_others() -> None:
    """b:Y has no candle to fill its order for two steps; alone that is no drift of anybody."""
    steps = [still(100)] * 6
    late = candles_of([still(100)] * 6)
    late = replace(late, **{name: getattr(late, name)[[0, 1, 4, 5]] for name in COLUMNS})

    outcome = execute_together(
        {"a:X": steps, "b:Y": late}, {"a:X": [0], "b:Y": [1]}, rebalance=OnDrift(threshold=0.01)
    )

    assert outcome.metrics.trades == 0
    assert outcome.metrics.open_trades == 2
    assert outcome.metrics.turnover == close_to(1.0 * 365.25 / 6)  # each share was bought once


def test_each_attempt_of_an_entry_that_the_account_cannot_bear_counts() -> None:
    dear = {"a:X": [still(400)] * 6, "b:Y": [still(1)] * 6}

    once = execute_together(dear, {"a:X": [0]}, cash=500.0, whole_units=True)
    again = execute_together(dear, {"a:X": [0, 2, 3]}, cash=500.0, whole_units=True)
    restored = execute_together(
        dear, {"a:X": [0]}, cash=500.0, whole_units=True, rebalance=OnSchedule(every="1d")
    )

    assert once.metrics.rejected_orders == 1
    assert again.metrics.rejected_orders == 1  # it is in, though it holds nothing
    assert restored.metrics.rejected_orders == 5


def test_in_an_account_every_fill_pays_for_the_short_up_to_it() -> None:
    """A stop within a candle pays at its level for the time up to the candle's open."""
    outcome = execute_together(
        {"a:X": [still(100), still(100), (100, 130, 100, 100)], "b:Y": [still(1)] * 3},
        {},
        {"a:X": [0]},
        direction="short",
        stop_loss=0.25,
        costs={"borrow_rate": 0.36525},
    )

    assert outcome.metrics.borrow_paid == close_to(0.5)  # five units, up to the close before


# An instrument whose candles end

ALIVE = [still(100)] * 4 + [(100, 200, 100, 200), still(200)]
ENDING = [still(100), still(100), (100, 100, 50, 50)]
BOTH = {"a:X": [0], "b:Y": [0]}


def test_an_instrument_that_ends_is_closed_at_its_last_close_and_named() -> None:
    outcome = execute_together({"a:X": ALIVE, "b:Y": ENDING}, BOTH)

    assert [(one.instrument, one.exit_price, one.exit_reason) for one in outcome.curve.trades] == [
        ("b:Y", 50.0, "delisted")
    ]
    assert outcome.curve.trades[0].exit_at.day == 3
    assert "instrument_ended:b:Y" in outcome.warnings
    assert "instrument_ended:a:X" not in outcome.warnings


def test_the_share_of_what_ended_goes_to_the_others_when_shares_are_restored() -> None:
    daily = {"rebalance": OnSchedule(every="1d")}

    freed = execute_together({"a:X": ALIVE, "b:Y": ENDING}, BOTH, **daily)
    held = execute_together({"a:X": ALIVE, "b:Y": ENDING}, BOTH, **daily, delisted="hold")

    # 750 after the fall, all of it in X, which doubles; or 375 in X, which doubles
    assert equity_of(freed)[2:] == close_to([750.0, 750.0, 1500.0, 1500.0])
    assert equity_of(held)[2:] == close_to([750.0, 750.0, 1125.0, 1125.0])
    assert held.curve.trades == ()
    assert "instrument_ended:b:Y" in held.warnings


@pytest.mark.parametrize("weights", [FixedWeights(of={"a:X": 0.3, "b:Y": 0.3, "c:Z": 0.4})])
def test_fixed_weights_keep_their_proportions_and_their_sum(weights: FixedWeights) -> None:
    series = {"a:X": [still(100)] * 5, "b:Y": [still(100)] * 3, "c:Z": [still(100)] * 5}

    outcome = execute_together(
        series, {name: [0] for name in series}, weights=weights, rebalance=OnSchedule(every="1d")
    )

    # on the fourth day 300 of Y go to X and Z as 3 to 4
    assert outcome.metrics.turnover * 5 / 365.25 * 1000 == close_to(1000 + 300 + 300)


def test_an_order_of_what_ended_is_dropped_and_no_signal_brings_it_back() -> None:
    silent = candles_of([still(100)] * 3)
    silent = replace(silent, volume=np.array([1.0, 0.0, 0.0]))

    outcome = execute_together({"a:X": ALIVE, "b:Y": silent}, {"b:Y": [0, 1, 2]})

    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (0, 0)
    assert "instrument_ended:b:Y" in outcome.warnings


def test_candles_that_end_together_end_nobody() -> None:
    rows = [still(100)] * 3

    outcome = execute_together({"a:X": rows, "b:Y": rows}, BOTH)

    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (0, 2)
    assert not [one for one in outcome.warnings if one.startswith("instrument_ended")]


def test_a_strategys_weights_leave_what_ended_and_give_nobody_its_share() -> None:
    def wanted(candles, params, indicators) -> Weights:
        return Weights(np.full(len(candles), 0.5))

    run = replace(
        execute_together({"a:X": ALIVE, "b:Y": ENDING}, {}).run,
        portfolio=Portfolio(weights=StrategyWeights(), rebalance=OnSchedule(every="1d")),
    )
    series = {"a:X": candles_of(ALIVE), "b:Y": candles_of(ENDING)}
    strategy = Strategy("given", "Give halves.", Part, "", wanted, lambda _params: 0)

    [outcome] = run_together(series, [run], with_curve=True, catalogue={"given": strategy})

    assert [one.exit_reason for one in outcome.curve.trades] == ["delisted"]
    assert equity_of(outcome)[-1] == close_to(1125.0)  # half of 750 in X, which doubles


def equity_of(outcome: Outcome) -> list[float]:
    return outcome.curve.equity.tolist()
