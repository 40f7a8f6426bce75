"""A gate around a stepper: what a person commands reaches the orders that wait."""

from __future__ import annotations

import math

import numpy as np

from execution.candle_step import Candle
from execution.gated import Gate, Market, gated_step
from execution.stepper import NO_DECISION, CandleStepper
from execution.terms import LIMIT, Terms
from mela.risk_limits import RiskLimits

DAY_MS = 86_400_000
UNKNOWN = Market()
ENTER, EXIT = NO_DECISION._replace(enter=True), NO_DECISION._replace(exit=True)


def candle(day: int, price: float = 100.0) -> Candle:
    return Candle(day * DAY_MS, (day + 1) * DAY_MS, price, price, price, price, 1_000.0, True)


def account(limits: RiskLimits | None = None, **terms):
    gate, stepper = Gate(limits or RiskLimits(), 1_000.0), CandleStepper(Terms(**terms), 1_000.0)

    def step(day: int, decision=NO_DECISION, price: float = 100.0, market=UNKNOWN, **fields):
        look = lambda _place: market  # noqa: E731
        return gated_step(gate, stepper, "a:X", candle(day, price), decision, look, **fields)

    return gate, step


def test_an_entry_that_rests_is_cancelled_by_a_pause() -> None:
    gate, step = account(entry_kind=LIMIT, offset=0.1, valid_bars=9)
    waiting, _ = step(0, ENTER)
    assert len(waiting.orders) == 1

    gate.state = gate.state.commanded("pause")

    assert step(1)[0].orders == ()
    assert step(2, price=80.0)[0].position == 0.0


def test_a_pause_lets_out_and_not_in_and_a_halt_lets_nothing_pass() -> None:
    gate, step = account()
    step(0, ENTER)
    assert step(1)[0].position == 10.0
    gate.state = gate.state.commanded("halt")
    assert step(2, EXIT)[0].orders == ()

    gate.state = gate.state.commanded("release").commanded("pause")
    assert len(step(3, EXIT)[0].orders) == 1
    left, judged = step(4, ENTER)
    assert (left.position, [one.verdict.code for one in judged]) == (0.0, ["paused"])


def test_a_candle_that_came_late_refuses_an_entry_and_moves_no_day() -> None:
    limits = RiskLimits(max_data_age_s=60, max_daily_loss=0.1)
    gate, step = account(limits)

    _, judged = step(0, ENTER, at_ms=DAY_MS + 61_000.0)

    assert [one.verdict.code for one in judged] == ["max_data_age_s"]
    assert judged[0].verdict.saw["age_s"] == 61.0
    assert gate.state.day == 0
    assert step(1, ENTER, at_ms=2 * DAY_MS + 60_000.0)[1][0].verdict.allowed


def test_an_entry_fills_with_no_more_than_volatility_left_of_it() -> None:
    limits = RiskLimits(target_volatility=0.01)
    _, step = account(limits)
    step(0, ENTER, market=Market(volatility=0.04))

    assert step(1, price=50.0)[0].position == 2.5  # not twice as many because they cost half


def test_a_market_that_nobody_knows_refuses() -> None:
    limits = RiskLimits(target_volatility=0.01, max_volume_share=0.1, session_hours="refuse")
    gate, step = account(limits)

    _, judged = step(0, ENTER)

    assert [one.verdict.code for one in judged] == ["unknown_volatility"]
    assert math.isnan(judged[0].verdict.saw["volatility"])
    assert gate.state.ordered_ms == ()


def test_a_reversal_is_judged_as_an_account_that_is_flat() -> None:
    """The exit comes first: what is held does not count into what the other side may hold."""
    _, step = account(RiskLimits(max_gross=1_000.0), shorts=True)
    step(0, ENTER)
    reverse = NO_DECISION._replace(exit=True, enter_short=True)

    step(1, reverse)

    assert step(2)[0].position == -10.0
    assert np.isclose(step(3)[0].cash, 2_000.0)
