"""Each rule of docs/execution.md, with numbers to check by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from backtests.testing.instrument import Row, candles_of, execute
from mela.interval import Interval
from mela.result import Status, Trade
from mela.run import LimitEntry

FLAT: Row = (100, 100, 100, 100)


def still(price: float) -> Row:
    return (price, price, price, price)


def only_trade(outcome) -> Trade:
    (trade,) = outcome.curve.trades
    return trade


def test_a_signal_fills_at_the_next_open() -> None:
    """Paying the price of the candle that gave the signal would be lookahead."""
    outcome = execute([FLAT, (110, 120, 110, 120)], enter=[0])

    assert outcome.curve.equity.tolist() == [1_000.0, 1_090.909090909091]


def test_an_exit_signal_fills_at_the_next_open() -> None:
    outcome = execute([FLAT, FLAT, (100, 150, 100, 150), still(120)], enter=[0], exit=[2])

    trade = only_trade(outcome)
    assert (trade.exit_price, trade.exit_at.day, trade.exit_reason) == (120.0, 4, "signal")
    assert outcome.curve.equity.tolist() == [1_000.0, 1_000.0, 1_500.0, 1_200.0]


def test_an_entry_signal_on_the_last_close_never_fills() -> None:
    outcome = execute([FLAT, FLAT], enter=[1])

    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (0, 0)


def test_an_exit_signal_on_the_last_close_never_fills() -> None:
    outcome = execute([FLAT, FLAT, FLAT], enter=[0], exit=[2])

    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (0, 1)


def test_both_signals_while_flat_do_nothing() -> None:
    assert execute([FLAT] * 3, enter=[0], exit=[0]).metrics.open_trades == 0


def test_both_signals_in_a_position_exit() -> None:
    outcome = execute([FLAT] * 4, enter=[0, 1], exit=[1])

    assert only_trade(outcome).exit_at.day == 3
    assert outcome.metrics.open_trades == 0


def test_an_entry_signal_in_a_position_does_nothing() -> None:
    outcome = execute([FLAT] * 5, enter=[0, 1, 2], exit=[3])

    trade = only_trade(outcome)
    assert (trade.entry_at.day, trade.exit_at.day, trade.size) == (2, 5, 10.0)


def test_an_exit_signal_while_flat_does_nothing() -> None:
    outcome = execute([FLAT] * 4, enter=[1], exit=[0])

    assert outcome.metrics.open_trades == 1


def test_an_entry_signal_on_the_close_of_the_exit_candle_fills_at_the_next_open() -> None:
    outcome = execute([FLAT] * 5, enter=[0, 2], exit=[1])

    assert only_trade(outcome).exit_at.day == 3
    assert outcome.metrics.exposure_time == 3 / 5  # closes 1, 3 and 4


def test_slippage_makes_a_purchase_dearer_and_a_sale_cheaper() -> None:
    outcome = execute([FLAT] * 3, enter=[0], exit=[1], slippage=0.25)

    trade = only_trade(outcome)
    assert (trade.entry_price, trade.exit_price, trade.size) == (125.0, 75.0, 8.0)
    assert trade.profit == -400.0


def test_slippage_may_carry_a_fill_outside_the_candle() -> None:
    outcome = execute([FLAT] * 2, enter=[0], slippage=0.25)

    assert outcome.curve.equity[-1] == 800.0


def test_each_fill_pays_its_fee() -> None:
    # 0.25 of each notional: 8 units at 100 cost 200, and bring 160 × 0.25 × 8 when sold.
    outcome = execute([FLAT, FLAT, still(160)], enter=[0], exit=[1], fee=0.25)

    trade = only_trade(outcome)
    assert trade.size == 8.0
    assert trade.fees == outcome.metrics.fees_paid == 200.0 + 320.0
    assert trade.profit == 8.0 * 60.0 - 520.0
    assert outcome.metrics.final_equity == 1_000.0 + trade.profit


def test_the_fee_is_inside_the_fraction_of_cash() -> None:
    outcome = execute([FLAT] * 2, enter=[0], fee=0.25, fraction=0.5)

    # 4 units × 100 × 1.25 = 500 = half of the cash
    assert outcome.metrics.fees_paid == 100.0
    assert outcome.curve.equity[-1] == 500.0 + 400.0


def test_size_follows_the_cash_at_the_fill() -> None:
    outcome = execute([FLAT, FLAT, still(200), still(200)], enter=[0, 2], exit=[1])

    assert only_trade(outcome).profit == 1_000.0
    assert outcome.metrics.open_trades == 1  # entered anew at 200 with 2,000: 10 units
    assert outcome.curve.equity[-1] == 2_000.0


def test_a_stop_fills_at_its_level_inside_the_candle() -> None:
    outcome = execute([FLAT, FLAT, (100, 100, 80, 95)], enter=[0], stop_loss=0.125)

    trade = only_trade(outcome)
    assert (trade.exit_price, trade.exit_reason) == (87.5, "stop_loss")
    assert outcome.curve.equity[-1] == 875.0


def test_a_low_that_equals_the_stop_reaches_it() -> None:
    outcome = execute([FLAT, FLAT, (100, 100, 87.5, 95)], enter=[0], stop_loss=0.125)

    assert only_trade(outcome).exit_price == 87.5


def test_a_gap_below_the_stop_fills_at_the_open() -> None:
    outcome = execute([FLAT, FLAT, (70, 95, 60, 95)], enter=[0], stop_loss=0.125)

    assert only_trade(outcome).exit_price == 70.0


def test_an_open_that_equals_the_stop_fills_there() -> None:
    outcome = execute([FLAT, FLAT, (87.5, 95, 80, 95)], enter=[0], stop_loss=0.125)

    assert only_trade(outcome).exit_price == 87.5


@pytest.mark.parametrize(("opened", "filled"), [(100, 50 * 0.75), (48, 48 * 0.75)])
def test_a_stop_pays_slippage_below_its_level_or_the_open(opened: float, filled: float) -> None:
    rows = [FLAT, still(80), (opened, 100, 40, 80)]

    outcome = execute(rows, enter=[0], slippage=0.25, stop_loss=0.5)

    assert only_trade(outcome).entry_price == 100.0  # so that the stop stands at 50
    assert only_trade(outcome).exit_price == filled


def test_a_target_fills_at_its_level_inside_the_candle() -> None:
    outcome = execute([FLAT, FLAT, (100, 130, 100, 100)], enter=[0], take_profit=0.25)

    trade = only_trade(outcome)
    assert (trade.exit_price, trade.exit_reason) == (125.0, "take_profit")


def test_a_gap_above_the_target_fills_at_the_open() -> None:
    outcome = execute([FLAT, FLAT, (140, 150, 140, 145)], enter=[0], take_profit=0.25)

    assert only_trade(outcome).exit_price == 140.0


@pytest.mark.parametrize(("opened", "filled"), [(100, 125), (140, 140)])
def test_a_target_pays_no_slippage(opened: float, filled: float) -> None:
    outcome = execute(
        [FLAT, still(80), (opened, 150, 100, 100)], enter=[0], slippage=0.25, take_profit=0.25
    )

    assert only_trade(outcome).entry_price == 100.0
    assert only_trade(outcome).exit_price == filled


def test_stop_and_target_live_on_the_entry_candle() -> None:
    fallen = execute([FLAT, (100, 100, 80, 95)], enter=[0], stop_loss=0.125)
    risen = execute([FLAT, (100, 130, 100, 100)], enter=[0], take_profit=0.25)

    assert only_trade(fallen).exit_price == 87.5
    assert only_trade(risen).exit_price == 125.0
    assert only_trade(risen).entry_at == only_trade(risen).exit_at
    assert risen.metrics.exposure_time == 0.0


def test_protect_from_next_makes_them_live_a_candle_later() -> None:
    rows = [FLAT, (100, 130, 80, 100), (100, 100, 85, 100)]

    outcome = execute(rows, enter=[0], stop_loss=0.125, take_profit=0.25, protect_from="next")

    trade = only_trade(outcome)
    assert (trade.exit_at.day, trade.exit_price) == (3, 87.5)
    assert outcome.metrics.ambiguous_bars == 0


def test_on_the_entry_candle_a_stop_above_the_open_fills_at_the_stop() -> None:
    """Slippage above the stop's distance puts the stop above the open that the entry filled at."""
    outcome = execute([FLAT, FLAT], enter=[0], slippage=0.25, stop_loss=0.125)

    assert only_trade(outcome).exit_price == 125.0 * 0.875 * 0.75
    assert outcome.metrics.ambiguous_bars == 0


def test_of_stop_and_target_in_one_candle_the_stop_fills() -> None:
    outcome = execute(
        [FLAT, FLAT, (100, 130, 80, 100)], enter=[0], stop_loss=0.125, take_profit=0.25
    )

    assert only_trade(outcome).exit_reason == "stop_loss"
    assert outcome.metrics.ambiguous_bars == 1


def test_the_stop_is_asked_first_even_when_the_open_is_above_the_target() -> None:
    outcome = execute(
        [FLAT, FLAT, (140, 150, 80, 100)], enter=[0], stop_loss=0.125, take_profit=0.25
    )

    assert only_trade(outcome).exit_price == 87.5
    assert outcome.metrics.ambiguous_bars == 1


def test_a_candle_that_opens_below_the_stop_is_not_ambiguous() -> None:
    outcome = execute(
        [FLAT, FLAT, (80, 130, 80, 100)], enter=[0], stop_loss=0.125, take_profit=0.25
    )

    assert only_trade(outcome).exit_price == 80.0
    assert outcome.metrics.ambiguous_bars == 0


def test_the_entry_candle_can_be_ambiguous() -> None:
    outcome = execute([FLAT, (100, 130, 80, 100)], enter=[0], stop_loss=0.125, take_profit=0.25)

    assert only_trade(outcome).exit_price == 87.5
    assert outcome.metrics.ambiguous_bars == 1


def test_a_market_exit_at_the_open_comes_before_the_stop() -> None:
    rows = [FLAT, FLAT, (100, 130, 80, 80)]

    outcome = execute(rows, enter=[0], exit=[1], stop_loss=0.125, take_profit=0.25)

    trade = only_trade(outcome)
    assert (trade.exit_price, trade.exit_reason) == (100.0, "signal")
    assert outcome.metrics.ambiguous_bars == 0


def test_an_exit_signal_after_a_stop_inside_the_candle_does_nothing() -> None:
    rows = [FLAT, (100, 100, 80, 80), still(80), still(80)]

    outcome = execute(rows, enter=[0, 2], exit=[1], stop_loss=0.125)

    assert only_trade(outcome).exit_reason == "stop_loss"
    assert outcome.metrics.open_trades == 1


def test_an_entry_signal_on_the_close_of_the_stopped_candle_counts_without_cooldown() -> None:
    outcome = execute([FLAT, (100, 100, 80, 80), still(80)], enter=[0, 1], stop_loss=0.125)

    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (1, 1)


@pytest.mark.parametrize(
    ("cooldown", "entry_days"), [(0, [2, 4]), (1, [2, 5]), (2, [2, 6]), (3, [2]), (2**53, [2])]
)
def test_entry_signals_within_the_cooldown_do_not_count(cooldown: int, entry_days: list) -> None:
    # Stopped inside bar 2; cooldown c ignores the closes of bars 2 to 2 + c - 1.
    rows = [FLAT, FLAT, (100, 100, 80, 80), still(80), still(80), still(80), still(80)]

    outcome = execute(rows, enter=[0, 2, 3, 4], exit=[5], stop_loss=0.125, cooldown_bars=cooldown)

    assert [trade.entry_at.day for trade in outcome.curve.trades] == entry_days


def test_the_cooldown_counts_from_the_candle_of_a_market_exit() -> None:
    # Exit at the open of bar 2: the closes of bars 2 and 3 do not count, that of bar 4 does.
    rows = [FLAT] * 7

    outcome = execute(rows, enter=[0, 2, 3, 4], exit=[1, 5], cooldown_bars=2)

    assert [trade.entry_at.day for trade in outcome.curve.trades] == [2, 6]


def test_an_open_position_is_valued_at_the_last_close_and_is_no_trade() -> None:
    outcome = execute([FLAT, FLAT, (100, 130, 100, 130)], enter=[0], fee=0.25)

    metrics = outcome.metrics
    assert (metrics.trades, metrics.open_trades, outcome.curve.trades) == (0, 1, ())
    assert metrics.final_equity == 8.0 * 130.0
    assert metrics.fees_paid == 200.0


def test_a_signal_on_the_last_warmup_candle_fills_at_the_first_open() -> None:
    outcome = execute([FLAT, FLAT, (100, 150, 100, 150)], enter=[1], warmup=2)

    assert outcome.curve.equity.tolist() == [1_500.0]
    assert outcome.candles == 1


def test_signals_on_earlier_warmup_candles_give_no_position() -> None:
    outcome = execute([FLAT, FLAT, FLAT, (100, 150, 100, 150)], enter=[0, 1], warmup=3)

    assert outcome.curve.equity.tolist() == [1_000.0]


def test_equity_begins_at_the_start_with_the_opening_cash() -> None:
    outcome = execute([still(50), FLAT, FLAT], enter=[1], warmup=1, cash=5_000.0)

    assert outcome.curve.equity.tolist() == [5_000.0, 5_000.0]
    assert outcome.curve.opened_ms.tolist() == [outcome.first_candle_ms, outcome.last_candle_ms]


def test_a_run_is_ruined_on_the_close_that_leaves_nothing_of_the_position() -> None:
    # 2¹⁰ of cash buy 2⁻⁹⁹⁰ units at 2¹⁰⁰⁰; at 2⁻¹⁰⁰⁰ they are worth less than a double can say.
    dear, cheap = still(2.0**1000), still(2.0**-1000)

    outcome = execute([dear, dear, cheap, dear, dear], enter=[0], cash=1024.0)

    assert outcome.status is Status.RUINED
    assert outcome.curve.equity.tolist() == [1024.0, 1024.0, 0.0]
    assert (outcome.metrics.open_trades, outcome.metrics.exposure_time) == (1, 2 / 3)


def test_a_run_is_ruined_on_the_candle_whose_exit_leaves_nothing() -> None:
    dear, cheap = still(2.0**1000), still(2.0**-1000)

    outcome = execute([dear, dear, cheap, dear, dear], enter=[0, 2], exit=[1], cash=1024.0)

    assert outcome.status is Status.RUINED
    assert outcome.curve.equity.tolist() == [1024.0, 1024.0, 0.0]
    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (1, 0)


def test_a_ruined_run_says_how_much_of_its_span_it_has_lived() -> None:
    dear, cheap = still(2.0**1000), still(2.0**-1000)

    outcome = execute([dear, dear, cheap, dear, dear], enter=[0], cash=1024.0)

    assert outcome.candles == 5
    assert len(outcome.curve.opened_ms) == len(outcome.curve.equity) == 3
    assert outcome.metrics.total_return == outcome.metrics.max_drawdown == -1.0
    assert outcome.metrics.final_equity == 0.0
    assert math.isnan(outcome.metrics.cagr)


def test_a_days_loss_takes_back_the_order_of_a_reversal() -> None:
    """The exit's open makes the loss, while the entry still rests."""
    rows = [FLAT, (100, 100, 80, 90), (50, 50, 50, 50), (50, 110, 50, 100)]
    resting = LimitEntry(offset=0.125, valid_bars=5)  # long at 87.5, short at 101.25
    asked = {"enter": [0], "exit": [1], "entry": resting, "direction": "both"}

    limited = execute(candles_of(rows, Interval.H1), **asked, daily_loss_limit=0.25)
    free = execute(candles_of(rows, Interval.H1), **asked)

    assert (limited.metrics.trades, limited.metrics.open_trades) == (1, 0)
    assert (free.metrics.trades, free.metrics.open_trades) == (1, 1)


def test_a_reversal_that_waits_for_volume_is_taken_back_by_its_exit_signal() -> None:
    candles = replace(candles_of([FLAT] * 5), volume=np.array([1.0, 1.0, 0.0, 1.0, 1.0]))

    outcome = execute(candles, enter=[0, 2], exit=[1], direction="both")

    assert only_trade(outcome).exit_at.day == 4  # the first candle that can be traded
    assert outcome.metrics.open_trades == 0


def test_impact_never_makes_a_sale_cost_money() -> None:
    candles = replace(candles_of([FLAT] * 3), volume=np.array([1.0, 1e6, 1.0]))

    outcome = execute(candles, enter=[0], exit=[1], costs={"impact": 1.0})

    assert only_trade(outcome).exit_price == 0.0
    assert outcome.status == Status.RUINED
