"""backtests/portfolio.py: one account for several instruments."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest

from backtests.portfolio import run_together, warm_accounts
from backtests.signals import Weights
from backtests.strategy import Strategy
from backtests.testing import portfolio as together_by_hand
from backtests.testing.instrument import MONDAY_MS, candles_of
from backtests.testing.portfolio import execute_together
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval
from mela.portfolio import (
    FixedWeights,
    InverseVolatility,
    OnDrift,
    OnSchedule,
    Portfolio,
    StrategyWeights,
)
from mela.result import Outcome, Status
from mela.run import Part, Run, from_ms
from mela.settings import REPOSITORY
from tests.backtests.random_accounts import COLUMNS, close_to, first


def still(price: float) -> tuple[float, float, float, float]:
    return price, price, price, price


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


def test_an_instrument_without_candles_in_the_span_keeps_the_share_of_its_warm_up() -> None:
    """What the others get does not tell whether it has candles later on."""
    x = candles_of([still(price) for price in (100, 130, 91, 91, 182)])
    y = candles_of([still(price) for price in (100, 110, 99, 99, 99)])
    signals = {"a:X": [2]}, {}
    bold = {"weights": InverseVolatility(period=2), "warmup": 3}

    alive = execute_together({"a:X": x, "a:Y": y}, *signals, **bold)
    gone = execute_together({"a:X": x, "a:Y": first(y, int(y.opened_ms[3]))}, *signals, **bold)

    assert "instrument_without_candles" in gone.warnings
    assert gone.curve.equity.tolist() == alive.curve.equity.tolist()
    assert alive.curve.equity.tolist() == close_to([1_000.0, 1_250.0])


def test_the_weight_of_an_instrument_without_candles_in_the_span_is_asked_and_stays_cash() -> None:
    x = candles_of([still(price) for price in (100, 100, 100, 200)])
    y = candles_of([still(50)] * 4)

    def wanted(candles, params, indicators) -> Weights:
        return Weights(np.full(len(candles), 0.75))  # together more than 1, so that each has 1/2

    strategy = Strategy("given", "Give 3/4.", Part, "", wanted, lambda _params: 0)
    asked = Portfolio(weights=StrategyWeights())
    run = replace(execute_together({"a:X": x, "a:Y": y}, {}, warmup=2).run, portfolio=asked)

    def worth(other: Candles) -> list[float]:
        series = {"a:X": x, "a:Y": other}
        [found] = run_together(series, [run], with_curve=True, catalogue={"given": strategy})
        assert ("instrument_without_candles" in found.warnings) == (other is not y)
        return equity_of(found)

    assert worth(y) == [1_000.0, 1_500.0]
    assert worth(first(y, int(y.opened_ms[2]))) == [1_000.0, 1_500.0]
    assert worth(first(y, int(y.opened_ms[0]))) == close_to([1_000.0, 1_750.0])  # nobody to ask
