"""An account that a broker fills: in part, late, twice, in any order, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.engine import Engine
from live.events import (
    Adopted,
    Alerted,
    Difference,
    FillBooked,
    Filled,
    Intended,
    LookupIntended,
    OrderChanged,
    Reconciled,
    StateChanged,
    Traded,
    Valued,
    encode,
)
from live.orders import OrderState
from tests.live.desk import NAME, Desk, cancels, sent
from tests.live.random_sessions import WITH_OWN


def entered(**more) -> tuple[Desk, object]:
    """Return a desk whose first close has ordered an entry, and that order."""
    desk = Desk(sizing={"kind": "units", "units": 4.0}, **more)
    (order,) = sent(desk.candle())
    return desk, order


AT_CLOSE = {"kind": "alpaca", "stops": "close"}


def holding(**more) -> Desk:
    """Return a desk that holds four units at 100."""
    desk, order = entered(**more)
    desk.answer(order, "accepted")
    desk.fill(order, 4.0)
    return desk


def test_an_entry_is_sized_on_the_close_and_has_the_same_id_on_every_machine() -> None:
    _, order = entered()
    _, again = entered()

    assert (order.side, order.units, order.leg) == ("buy", 4.0, "enter")
    assert order.client_order_id == again.client_order_id


def test_an_entry_is_at_most_what_the_cash_pays_for() -> None:
    desk = Desk(sizing={"kind": "units", "units": 400.0})

    assert [order.units for order in sent(desk.candle())] == [10.0]


def test_partial_fills_make_one_position_at_their_average_price() -> None:
    desk, order = entered()
    desk.answer(order, "accepted")
    desk.fill(order, 1.0, 100.0, "1")
    assert desk.orders[0].state is OrderState.PARTLY_FILLED
    desk.fill(order, 3.0, 104.0, "4")

    held = desk.candle(104.0)[-1].positions
    assert desk.orders[0].state is OrderState.FILLED
    assert [(one.units, one.average_price) for one in held] == [(4.0, 103.0)]
    assert desk.cash == 1_000.0 - 412.0


def test_the_same_fill_twice_counts_once() -> None:
    desk, order = entered()
    desk.fill(order, 1.0)

    assert desk.fill(order, 1.0) == []
    assert desk.position == 1.0


def test_a_fill_before_the_order_is_accepted_counts_and_the_late_answer_changes_nothing() -> None:
    desk, order = entered()
    desk.fill(order, 4.0)

    assert [
        one for one in desk.answer(order, "accepted") if not isinstance(one, OrderChanged)
    ] == []
    assert desk.orders[0].state is OrderState.FILLED


def test_a_fill_that_comes_after_the_cancel_counts_and_is_told() -> None:
    desk, order = entered()
    desk.answer(order, "accepted")
    desk.answer(order, "cancelled")

    told = desk.fill(order, 2.0)

    assert desk.position == 2.0
    assert [one.key for one in told if isinstance(one, Alerted)] == [f"late_fill:{NAME}"]
    assert desk.orders[0].state is OrderState.CANCELLED
    assert desk.orders[0].filled_units == 2.0


def test_a_fill_of_an_order_that_was_never_given_is_not_booked_and_halts_the_session() -> None:
    desk = holding()

    told = desk.say(Filled("somebody", "b9/1", NAME, "buy", 1.0, 100.0, 0.0, desk.at_ms))

    assert desk.position == 4.0
    assert not [one for one in told if isinstance(one, FillBooked)]
    assert desk.critical == [f"unknown_fill:{NAME}"]
    assert [one.state for one in told if isinstance(one, StateChanged)] == ["halted"]


def test_a_rejected_entry_is_told_and_asked_again_with_another_id_at_the_next_close() -> None:
    desk, order = entered()

    told = desk.answer(order, "rejected", "insufficient buying power")
    assert sent(told) == []
    assert "insufficient buying power" in next(one.text for one in told if isinstance(one, Alerted))

    (again,) = sent(desk.candle())
    assert again.client_order_id != order.client_order_id


def test_a_rejected_exit_is_asked_again_at_the_next_close_while_the_position_stays() -> None:
    desk = holding(exits={"stop_loss": 0.05}, broker=AT_CLOSE)
    (exit_,) = sent(desk.candle(94.0))
    desk.answer(exit_, "rejected")

    assert desk.position == 4.0
    assert [order.leg for order in sent(desk.candle(94.0))] == ["exit"]


def test_a_stop_that_a_candle_reached_leaves_as_a_market_order_on_its_close() -> None:
    desk = holding(exits={"stop_loss": 0.05}, broker=AT_CLOSE)

    (exit_,) = sent(desk.candle(99.0, low=94.0))
    assert (exit_.side, exit_.units, exit_.kind, exit_.reason) == (
        "sell", 4.0, "market", "stop_loss",
    )  # fmt: skip
    told = desk.fill(exit_, 4.0, 98.0)
    (trade,) = [one for one in told if isinstance(one, Traded)]
    assert (trade.profit, trade.exit_reason) == (-8.0, "stop_loss")


def test_an_exit_that_filled_in_part_goes_on_until_nothing_is_left() -> None:
    desk = holding(exits={"stop_loss": 0.05}, broker=AT_CLOSE)
    (exit_,) = sent(desk.candle(94.0))
    desk.fill(exit_, 1.0, 94.0)

    (rest,) = sent(desk.answer(exit_, "cancelled"))
    assert rest.units == 3.0
    assert rest.client_order_id != exit_.client_order_id
    told = desk.fill(rest, 3.0, 90.0, "2")
    (trade,) = [one for one in told if isinstance(one, Traded)]
    assert (trade.size, trade.exit_price, desk.position) == (4.0, 91.0, 0.0)


def test_an_answer_that_did_not_come_is_looked_up_before_anything_else() -> None:
    desk, order = entered()

    told = desk.answer(order, "unknown")
    assert told[-1] == LookupIntended(order.client_order_id)
    assert sent(desk.candle()) == []

    desk.look_up(order, "accepted")
    assert desk.orders[0].state is OrderState.ACCEPTED


def test_an_order_that_the_broker_never_had_is_sent_again_under_its_id_while_it_is_meant() -> None:
    desk, order = entered()
    desk.answer(order, "unknown")

    (again,) = [one for one in desk.look_up(order, None) if isinstance(one, Intended)]
    assert again.is_again
    assert again.order.client_order_id == order.client_order_id


def test_an_entry_of_an_older_candle_that_the_broker_never_had_expires() -> None:
    desk, order = entered()
    desk.answer(order, "unknown")
    desk.candle()

    told = desk.look_up(order, None)

    assert desk.orders[0].state is OrderState.EXPIRED
    assert order.client_order_id not in [one.client_order_id for one in sent(told)]


def test_an_exit_of_an_older_candle_that_the_broker_never_had_keeps_its_id() -> None:
    desk = holding()
    (leaving,) = sent(desk.command("flatten"))
    desk.answer(leaving, "unknown")
    desk.candle()
    (again,) = sent(desk.look_up(leaving, None))
    assert again.client_order_id == leaving.client_order_id
    assert again.units == leaving.units


def test_a_process_that_begins_anew_looks_up_every_order_without_an_answer() -> None:
    desk, order = entered()
    desk.engine = Engine.restore(desk.engine.snapshot(), WITH_OWN)

    told = desk.recover()

    assert LookupIntended(order.client_order_id) in told
    assert sent(told) == []
    assert desk.recover() == [LookupIntended(order.client_order_id)]


def test_a_fill_beyond_the_position_opens_the_other_side_which_is_closed_at_once() -> None:
    desk = holding(exits={"stop_loss": 0.05}, broker=AT_CLOSE)
    (exit_,) = sent(desk.candle(94.0))

    told = desk.fill(exit_, 5.0, 94.0)

    assert desk.position == -1.0
    assert desk.critical == [f"wrong_side:{NAME}"]
    assert [(order.side, order.units) for order in sent(told)] == [("buy", 1.0)]


def test_a_halt_cancels_what_is_open_and_orders_nothing() -> None:
    desk, order = entered()
    desk.answer(order, "accepted")

    assert cancels(desk.command("halt")) == [order.client_order_id]
    desk.answer(order, "cancelled")
    assert sent(desk.candle()) == []
    desk.command("release")
    assert len(sent(desk.candle())) == 1


def test_a_cancel_is_asked_once_on_each_candle() -> None:
    desk, order = entered()
    desk.answer(order, "accepted")
    desk.command("halt")

    assert cancels(desk.command("pause")) == []
    assert cancels(desk.candle()) == [order.client_order_id]


def test_flatten_sends_a_market_order_at_once_and_the_session_may_then_stop() -> None:
    desk = holding()

    (exit_,) = sent(desk.command("flatten"))
    desk.command("stop")
    told = desk.fill(exit_, 4.0)

    assert [one.state for one in told if isinstance(one, StateChanged)] == ["stopped"]


def test_a_limit_entry_rests_and_is_cancelled_when_its_candles_are_over() -> None:
    desk, order = entered(
        entry={"kind": "limit", "offset": 0.05, "valid_bars": 1},
    )
    assert (order.kind, order.level) == ("limit", 95.0)

    told = desk.candle(110.0)
    assert cancels(told) == [order.client_order_id]
    (again,) = sent(desk.answer(order, "cancelled"))
    assert again.level == pytest.approx(104.5)


def test_what_the_broker_has_is_adopted() -> None:
    desk = holding()

    desk.say(Adopted(NAME, 3.0, 100.0, 0.0, desk.at_ms, "somebody sold one"))

    assert desk.position == 3.0
    assert not desk.critical


def test_a_difference_that_no_rule_explains_halts_and_at_the_start_ends_the_session() -> None:
    wrong = Difference("position", NAME, "", 4.0, 3.0, "stop", "somebody else trades there")
    running, beginning = holding(), Desk()

    told = running.say(Reconciled((wrong,), False, running.at_ms))
    ended = beginning.say(Reconciled((wrong,), True, beginning.at_ms))

    assert [one.state for one in told if isinstance(one, StateChanged)] == ["halted"]
    assert [one.state for one in ended if isinstance(one, StateChanged)] == ["stopped"]
    assert not [one for one in beginning.candle() if isinstance(one, Valued)]


def test_what_limits_forbid_is_not_sent() -> None:
    desk = Desk(sizing={"kind": "units", "units": 4.0}, risk={"max_order_notional": 100.0})

    told = desk.candle()

    assert sent(told) == []
    assert {type(one).__name__ for one in told} == {"Judged", "Valued"}


SEEDS = st.integers(0, 2**32 - 1)


def converse(desk: Desk, rng: np.random.Generator) -> None:
    """Let a broker do anything that brokers do, for some candles."""
    for number in range(40):
        desk.candle(float(100.0 * (1.0 + 0.03 * rng.normal())))
        for _ in range(int(rng.integers(0, 5))):
            orders = desk.orders[-3:]
            if not orders:
                continue
            order = orders[int(rng.integers(len(orders)))]
            word = str(rng.choice(["fill", "fill", "answer", "answer", "look", "again"]))
            if word == "fill" and order.left > 0.0:
                units = order.left if rng.random() < 0.6 else order.left * rng.random()
                if units > 1e-6:
                    desk.fill(order, units, float(100.0 + rng.normal()), f"{number}{rng.random()}")
            elif word == "answer":
                states = ["accepted", "cancelled", "rejected", "expired", "unknown", "submitted"]
                desk.answer(order, str(rng.choice(states)))
            elif word == "look":
                desk.look_up(order, str(rng.choice(["accepted", "cancelled"])))
            else:
                desk.say(desk.log[-1])
        if rng.random() < 0.1:
            desk.command(str(rng.choice(["pause", "resume", "halt", "release", "flatten"])))
        if rng.random() < 0.1:
            desk.recover()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=SEEDS)
def test_whatever_a_broker_says_the_account_adds_up_and_the_log_gives_it_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = Desk(
        "levels",
        direction=str(rng.choice(["long", "both"])),
        costs={"fee": 0.001, "slippage": 0.0, "borrow_rate": 0.1},
        entry={"kind": "limit", "offset": 0.01} if rng.random() < 0.3 else {"kind": "market"},
        exits={"stop_loss": 0.02, "trailing_stop": 0.03} if rng.random() < 0.6 else {},
    )
    converse(desk, rng)

    assert not [key for key in desk.critical if key.startswith("invariant")]
    booked = [one for one in desk.told if isinstance(one, FillBooked)]
    signed = [one.units if one.side == "buy" else -one.units for one in booked]
    assert desk.position == pytest.approx(sum(signed), abs=1e-8)
    assert len({one.fill_id for one in booked}) == len(booked)
    engine = Engine(WITH_OWN)
    again = [one for event in desk.log for one in engine.apply(event)]
    assert list(map(encode, again)) == list(map(encode, desk.told))
    assert engine.digest() == desk.engine.digest()


def test_on_a_stale_candle_nothing_is_entered_and_an_exit_leaves() -> None:
    desk = Desk()
    told = desk.candle(late_ms=61_000)
    assert sent(told) == []
    assert [one.key for one in told if isinstance(one, Alerted)] == [f"stale:{NAME}"]
    [entry] = sent(desk.candle())  # the next one is heard of in time

    desk.answer(entry, "accepted")
    desk.fill(entry, entry.units)
    desk.command("flatten")
    desk.candle(late_ms=120_000)
    assert [one.leg for one in desk.orders if one.is_open] == ["exit"]


def test_an_entry_that_rests_is_cancelled_when_candles_come_late() -> None:
    desk = Desk(strategy="buy_and_hold", entry={"kind": "limit", "offset": 0.01, "valid_bars": 50})
    [entry] = sent(desk.candle())
    desk.answer(entry, "accepted")
    assert cancels(desk.candle(late_ms=90_000)) == [entry.client_order_id]
