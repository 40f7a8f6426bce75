"""Stepping an account by hand: orders, fills, equity, and states that are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from execution.candle_step import Candle, Decision
from execution.stepper import CandleStepper, PortfolioStepper
from execution.terms import LIMIT, MARKET, CostTerms, PortfolioTerms, Terms
from execution.trades import SIGNAL

DAY_MS = 86_400_000
PLAIN, SHARED = Terms(), PortfolioTerms()


def candle(day: int, open_: float, close: float) -> Candle:
    high, low = max(open_, close), min(open_, close)
    return Candle(day * DAY_MS, (day + 1) * DAY_MS, open_, high, low, close, 1.0, True)


def decision(enter: bool = False, exit_: bool = False, **levels: float) -> Decision:
    base = Decision(enter, exit_, False, False, 0.0, 1.0, math.nan, math.nan)
    return base._replace(**levels)


def test_a_decision_orders_and_the_next_candle_fills_at_its_open() -> None:
    stepper = CandleStepper(PLAIN, 1_000.0)

    first = stepper.step(candle(0, 100, 100), decision(enter=True))
    second = stepper.step(candle(1, 110, 121), decision(exit_=True))
    third = stepper.step(candle(2, 132, 140))

    assert [(o.side, o.kind, o.reason) for o in first.orders] == [(1.0, MARKET, 0)]
    assert (second.position, second.equity) == (1_000 / 110, 1_100.0)
    assert [(o.side, o.units, o.reason) for o in second.orders] == [(-1.0, 1_000 / 110, SIGNAL)]
    assert (third.equity, third.position, third.trades["exit_price"].tolist()) == (1_200, 0, [132])


def test_a_resting_order_tells_its_level() -> None:
    terms = PLAIN._replace(entry_kind=LIMIT, offset=0.05, valid_bars=2)
    step = CandleStepper(terms, 1_000.0).step(candle(0, 100, 100), decision(enter=True))

    assert [(o.kind, o.level) for o in step.orders] == [(LIMIT, 95.0)]


def test_levels_of_a_decision_protect_the_next_candle() -> None:
    stepper = CandleStepper(PLAIN, 1_000.0)
    stepper.step(candle(0, 100, 100), decision(enter=True))
    stepper.step(candle(1, 100, 100), decision(stop=95.0))

    assert stepper.step(candle(2, 100, 90)).trades["exit_price"].tolist() == [95.0]


def test_a_restored_state_equals_the_saved_one_and_goes_on_alike() -> None:
    one, other = CandleStepper(PLAIN, 1_000.0), CandleStepper(PLAIN, 500.0)
    one.step(candle(0, 100, 100), decision(enter=True))
    assert one != other

    other.restore(one.save())

    assert one == other
    assert one.step(candle(1, 110, 121)).equity == other.step(candle(1, 110, 121)).equity
    assert one == other


def test_a_state_of_other_terms_is_refused() -> None:
    other = CandleStepper(PLAIN._replace(costs=CostTerms(fee=0.001)), 1_000.0)

    with pytest.raises(ValueError, match="of the terms and the version that saved it"):
        other.restore(CandleStepper(PLAIN, 1_000.0).save())


def test_a_state_cut_short_is_refused() -> None:
    stepper = CandleStepper(PLAIN, 1_000.0)

    with pytest.raises(ValueError, match="bytes"):
        stepper.restore(stepper.save()[:-8])


def test_a_ruined_account_takes_no_further_step() -> None:
    stepper = CandleStepper(PLAIN._replace(shorts=True, longs=False), 1_000.0)
    short = decision()._replace(enter_short=True)
    stepper.step(candle(0, 100, 100), short)
    assert stepper.step(candle(1, 100, 300)).ruined

    with pytest.raises(ValueError, match="ruined"):
        stepper.step(candle(2, 300, 300))


def test_several_instruments_share_one_account() -> None:
    stepper = PortfolioStepper(SHARED, 1_000.0, [1.0, 1.0])
    both, none = [decision(enter=True)] * 2, [decision()] * 2
    halves = [0.5, 0.5]
    for day, (first, second) in enumerate([(100.0, 50.0), (100.0, 50.0)]):
        candles = [candle(day, first, first), candle(day, second, second)]
        step, _ = stepper.step(
            day * DAY_MS, (day + 1) * DAY_MS, candles, none if day else both, halves
        )

    assert stepper.units.tolist() == [5.0, 10.0]
    assert (step.equity, step.cash, stepper.pending.tolist()) == (1_000.0, 0.0, [False, False])


def test_an_instrument_without_a_candle_keeps_its_last_price_and_its_order() -> None:
    stepper = PortfolioStepper(SHARED, 1_000.0, [1.0, 1.0])
    both, halves = [decision(enter=True)] * 2, [0.5, 0.5]
    day = [candle(0, 100, 100), candle(0, 50, 50)]
    stepper.step(0, DAY_MS, day, both, halves)

    stepper.step(DAY_MS, 2 * DAY_MS, [candle(1, 100, 110), None], [decision()] * 2, halves)

    assert stepper.units.tolist() == [5.0, 0.0]
    assert stepper.pending.tolist() == [False, True]


def test_the_state_of_an_account_is_kept_whole() -> None:
    one = PortfolioStepper(SHARED, 1_000.0, [1.0, 1.0])
    day = [candle(0, 100, 100), candle(0, 50, 50)]
    one.step(0, DAY_MS, day, [decision(enter=True)] * 2, [0.5, 0.5])
    other = PortfolioStepper(SHARED, 1.0, [1.0, 1.0])

    other.restore(one.save())

    assert one == other
    assert np.array_equal(one.pending, other.pending)
