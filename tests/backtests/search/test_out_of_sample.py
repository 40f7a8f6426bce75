"""Runs on windows that they were not chosen on, with numbers small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from backtests.search.out_of_sample import Stretch, chained, closed_out, in_equal_shares
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.result import Status
from mela.run import Costs, Exits, FractionSizing, LimitEntry, Run, from_ms

FREE = {"costs": Costs(fee=0.0, slippage=0.0), "sizing": FractionSizing(fraction=1.0)}


class Nothing(BaseModel):
    pass


def catalogue(*enter: int, leave: tuple[int, ...] = ()) -> dict[str, Strategy]:
    """Return a strategy that enters and leaves on the closes of these bars, warm-up counted."""

    def signals(candles: Candles, params: Any, indicators: Any) -> Signals:
        given = np.zeros((2, len(candles)), dtype=np.bool_)
        given[0, [bar for bar in enter if bar < len(candles)]] = True
        given[1, [bar for bar in leave if bar < len(candles)]] = True
        return Signals(given[0], given[1])

    return {"given": Strategy("given", "", Nothing, "d" * 64, signals, lambda _: 0)}


def days(*closes: float, volume: float = 1.0) -> Candles:
    price = np.array(closes, dtype=np.float64)
    opened = np.arange(len(price), dtype=np.int64) * DAY_MS
    return Candles(Interval.D1, opened, price, price, price, price, np.full(len(price), volume))


def a_run(start: int, end: int, **change: Any) -> Run:
    fields = {"warmup": 0, **FREE, "cash": 100.0} | change
    span = from_ms(start * DAY_MS), from_ms(end * DAY_MS)
    return Run("", "a:X", Interval.D1, *span, "given", {}, **fields)


def test_an_open_position_is_sold_at_the_last_close_with_costs() -> None:
    costs = Costs(fee=0.1, slippage=0.5)
    candles, known = days(10.0, 10.0, 20.0, 99.0), catalogue(0)

    found = closed_out(candles, a_run(0, 3, costs=costs), known)

    units = 100.0 / (10.0 * 1.5) / 1.1
    sold = units * 20.0 * 0.5 * 0.9
    assert found.equity[-1] == pytest.approx(sold, rel=1e-12)
    [trade] = found.trades
    assert trade.exit_price == pytest.approx(10.0)
    assert trade.exit_at == from_ms(3 * DAY_MS)  # when the last candle ends
    assert found.numbers()["total_return"] == pytest.approx(sold / 100.0 - 1.0)


def test_candles_beyond_the_window_decide_nothing() -> None:
    known = catalogue(0)
    one = closed_out(days(10.0, 10.0, 20.0, 1.0), a_run(0, 3), known)
    other = closed_out(days(10.0, 10.0, 20.0, 500.0), a_run(0, 3), known)
    assert one.equity.tolist() == other.equity.tolist() == [100.0, 100.0, 200.0]


def test_a_run_that_is_flat_at_its_end_is_what_it_is_without_closing() -> None:
    candles, known = days(10.0, 10.0, 20.0, 30.0, 40.0), catalogue(0, leave=(2,))
    run = a_run(0, 5, costs=Costs())
    plain = next(run_all(candles, [run], with_curve=True, catalogue=known))
    assert plain.curve is not None
    found = closed_out(candles, run, known)
    assert found.equity.tolist() == plain.curve.equity.tolist()
    assert list(found.trades) == list(plain.curve.trades)


def test_an_entry_ordered_on_the_last_close_never_fills() -> None:
    found = closed_out(days(10.0, 10.0, 20.0), a_run(0, 3), catalogue(2))
    assert found.equity.tolist() == [100.0, 100.0, 100.0]
    assert len(found.trades) == 0


def test_an_order_that_rests_at_the_end_never_fills() -> None:
    run = a_run(0, 3, entry=LimitEntry(offset=0.5, valid_bars=9))
    assert len(closed_out(days(10.0, 10.0, 10.0), run, catalogue(0)).trades) == 0


def test_a_short_is_bought_back() -> None:
    costs = Costs(fee=0.0, slippage=0.0, borrow_rate=0.0)
    run = a_run(0, 3, direction="short", costs=costs)
    found = closed_out(days(10.0, 10.0, 5.0), run, catalogue(leave=(0,)))
    [trade] = found.trades
    assert (trade.size, trade.exit_price) == (-10.0, 5.0)
    assert found.equity[-1] == 150.0


def test_a_window_starts_flat_but_its_warmup_gives_signals() -> None:
    """The signal on the last candle before the window fills at the window's first open."""
    found = closed_out(days(10.0, 10.0, 20.0), a_run(1, 3, warmup=1), catalogue(0))
    assert found.equity.tolist() == [100.0, 200.0]


def test_where_there_was_never_volume_the_position_is_sold_all_the_same() -> None:
    found = closed_out(days(10.0, 10.0, 20.0, volume=0.0), a_run(0, 3), catalogue(0))
    assert len(found.trades) == 1


def test_no_candles_are_no_data_and_a_broken_strategy_is_told() -> None:
    assert closed_out(days(1.0), a_run(5, 9), catalogue()).status is Status.NO_DATA

    def broken(candles: Candles, params: Any, indicators: Any) -> Signals:
        raise RuntimeError("no idea")

    known = {"given": Strategy("given", "", Nothing, "d" * 64, broken, lambda _: 0)}
    found = closed_out(days(1.0, 1.0), a_run(0, 2), known)
    assert (found.status, found.error) == (Status.FAILED, "RuntimeError: no idea")
    assert found.numbers()["sharpe"] is None


def test_a_protective_exit_in_the_window_stays_what_it_was() -> None:
    run = a_run(0, 4, exits=Exits(stop_loss=0.5))
    found = closed_out(days(10.0, 10.0, 4.0, 20.0), run, catalogue(0))
    assert [trade.exit_reason for trade in found.trades] == ["stop_loss"]
    assert found.equity[-1] == 40.0


def stretch(*equity: float, first_day: int = 0, cash: float = 100.0) -> Stretch:
    values = np.array(equity)
    opened = (first_day + np.arange(len(values), dtype=np.int64)) * DAY_MS
    returns = values / np.concatenate(([cash], values[:-1])) - 1.0
    return Stretch(Status.SUCCEEDED, cash, 365.0, opened, values, returns, (), 0.5)


def test_folds_are_chained_by_return() -> None:
    whole = chained([stretch(110.0, 120.0), stretch(50.0, first_day=2)], 100.0)
    assert whole.equity.tolist() == [110.0, 120.0, 60.0]
    assert whole.returns[-1] == -0.5
    assert whole.buy_hold_return == 1.25


def test_nothing_follows_ruin() -> None:
    whole = chained([stretch(50.0, -1.0), stretch(500.0, first_day=2)], 100.0)
    assert whole.equity.tolist() == [50.0, -1.0]


def test_instruments_hold_equal_shares_and_keep_cash_while_they_have_no_candles() -> None:
    late = stretch(200.0, first_day=1)
    both = in_equal_shares([stretch(100.0, 150.0), late], is_intraday=False)
    assert both.equity.tolist() == [100.0, 175.0]
    assert both.returns.tolist() == [0.0, 0.75]
    assert both.buy_hold_return == 0.5


def test_holding_several_is_added_one_after_the_other_on_every_python() -> None:
    """`sum` compensates rounding from Python 3.12 on: 0.1 added ten times would be 1.0."""
    parts = [replace(stretch(100.0), buy_hold_return=0.1) for _ in range(10)]
    assert in_equal_shares(parts, is_intraday=False).buy_hold_return == 0.9999999999999999 / 10
