"""Contracts that stand for several units: sizes count contracts, money their whole value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.signals import Signals
from backtests.stepping import CandleSteps
from backtests.testing.instrument import candles_of, execute
from backtests.testing.portfolio import execute_together
from mela.run import CashSizing, FractionSizing, UnitsSizing

ROWS = [(4_000.0,) * 4, (4_000.0,) * 4, (4_010.0,) * 4, (4_010.0,) * 4]
MINI = replace(candles_of(ROWS), multiplier=50.0, volume=np.full(4, 79.0))
CANDLE_BY_CANDLE = {"trailing_stop": 0.5}  # which the walk from event to event does not know
TWO = UnitsSizing(units=2)


@pytest.mark.parametrize("more", [{}, CANDLE_BY_CANDLE], ids=["events", "bars"])
def test_two_contracts_of_fifty_gain_a_thousand_by_a_rise_of_ten(more: dict) -> None:
    found = execute(MINI, [0], [1], cash=500_000, sizing=TWO, **more)

    (trade,) = found.curve.trades
    assert (trade.size, trade.profit) == (2.0, 1_000.0)
    assert found.curve.equity.tolist() == [500_000, 500_000, 501_000, 501_000]
    assert found.metrics.large_fills == 2  # 2 of 79 contracts are above 2.5 %


def test_a_short_of_two_contracts_loses_what_a_long_one_gains() -> None:
    found = execute(MINI, exit=[0], enter=[1], cash=500_000, sizing=TWO, direction="short")

    assert [(t.size, t.profit) for t in found.curve.trades] == [(-2.0, -1_000.0)]


@pytest.mark.parametrize("more", [{}, CANDLE_BY_CANDLE], ids=["events", "bars"])
def test_a_fraction_of_the_cash_buys_contracts_by_their_whole_value(more: dict) -> None:
    found = execute(MINI, [0], [1], cash=500_000, fee=0.25, **more)

    (trade,) = found.curve.trades
    assert trade.size == 2.0  # 2 × 50 × 4,000 × 1.25 = 500,000
    assert found.metrics.fees_paid == 100_000 + 100_250


def test_whole_units_are_whole_lots_of_contracts() -> None:
    sizing = CashSizing(amount=1_100_000, whole_units=True)

    (trade,) = execute(replace(MINI, lot=2.0), [0], [1], cash=2e6, sizing=sizing).curve.trades

    assert trade.size == 4.0  # 5.5 contracts


def test_the_impact_is_of_contracts_among_contracts() -> None:
    four = replace(MINI, volume=np.full(4, 8.0))

    (trade,) = execute(four, [0], [1], cash=2e6, sizing=TWO, costs={"impact": 0.5}).curve.trades

    assert (trade.entry_price, trade.exit_price) == (5_000.0, 3_007.5)  # √(2 / 8) is 1 / 2


def test_a_portfolio_counts_the_contracts_of_each_instrument() -> None:
    still = [(100.0,) * 4] * 4

    found = execute_together(
        {"a:F": MINI, "b:X": still}, {"a:F": [0], "b:X": [0]}, {"a:F": [1], "b:X": [1]},
        cash=900_000, whole_units=True,
    )  # fmt: skip

    assert {t.instrument: (t.size, t.profit) for t in found.curve.trades} == {
        "a:F": (2.0, 1_000.0),
        "b:X": (4_500.0, 0.0),
    }


def test_a_multiplier_of_one_is_none() -> None:
    one, none = (
        execute(replace(MINI, multiplier=each), [0], [1], fee=0.01, sizing=FractionSizing())
        for each in (1.0, None)
    )

    assert repr(one.metrics) == repr(none.metrics)
    assert list(one.curve.trades) == list(none.curve.trades)


def test_steps_give_the_equity_of_the_whole_run() -> None:
    found = execute(MINI, [0], [1], cash=500_000, sizing=TWO, **CANDLE_BY_CANDLE)
    enter, leave = (np.isin(np.arange(4), bar) for bar in (0, 1))

    steps = list(CandleSteps.of(prepare_candles(MINI, found.run), found.run, Signals(enter, leave)))

    assert [step.equity for step in steps] == found.curve.equity.tolist()
    assert steps[1].position == 100.0  # units: contracts × multiplier


def test_backtrader_refuses_contracts() -> None:
    from backtests.backtrader import walk  # loads Backtrader

    found = execute(MINI, [0], [1], protect_from="next")
    with pytest.raises(ValueError, match="counts no contracts"):
        walk(
            prepare_candles(MINI, found.run), found.run, Signals(*np.zeros((2, 4), np.bool_)),
            Buffers.of(4), np.empty(0),
        )  # fmt: skip
