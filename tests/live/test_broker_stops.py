"""A stop that rests at the broker: sent for what is held, replaced, cancelled, filled."""

from __future__ import annotations

import pytest

from live.engine import Engine
from live.events import Alerted, CancelIntended, Intended, LookupIntended, StateChanged, Traded
from live.orders import Order, OrderState
from tests.live.desk import NAME, Desk, cancels, sent
from tests.live.random_sessions import WITH_OWN


def holding(exits: dict, **more) -> tuple[Desk, list[Order]]:
    """Return a desk that holds four units at 100, and the orders that followed from it."""
    desk = Desk(sizing={"kind": "units", "units": 4.0}, exits=exits, **more)
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")
    return desk, sent(desk.fill(order, 4.0))


def resting(exits: dict, **more) -> tuple[Desk, Order]:
    """Return a desk that holds four units at 100 and has a stop at the broker."""
    desk, (stop,) = holding(exits, **more)
    desk.answer(stop, "accepted")
    return desk, stop


def told_of(stop: Order) -> tuple[object, ...]:
    return stop.leg, stop.side, stop.kind, stop.units, pytest.approx(stop.level), stop.reason


def test_a_stop_leaves_once_the_entry_is_filled_and_for_what_is_filled() -> None:
    desk = Desk(sizing={"kind": "units", "units": 4.0}, exits={"stop_loss": 0.05})
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")

    assert sent(desk.fill(order, 1.0, number="1")) == []
    (stop,) = sent(desk.answer(order, "cancelled"))

    assert told_of(stop) == ("stop", "sell", "stop", 1.0, 95.0, "stop_loss")
    assert "-s-" in stop.client_order_id


def test_a_session_that_says_so_has_no_stop_at_the_broker() -> None:
    _, orders = holding({"stop_loss": 0.05}, broker={"kind": "alpaca", "stops": "close"})
    assert orders == []
    _, orders = holding({"take_profit": 0.05})
    assert orders == []


def test_what_fills_late_makes_the_stop_larger() -> None:
    desk = Desk(sizing={"kind": "units", "units": 4.0}, exits={"stop_loss": 0.05})
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")
    desk.fill(order, 1.0, number="1")
    (stop,) = sent(desk.answer(order, "cancelled"))
    desk.answer(stop, "accepted")

    told = desk.fill(order, 1.0, 100.0, "2")
    assert (cancels(told), sent(told)) == ([stop.client_order_id], [])
    (larger,) = sent(desk.answer(stop, "cancelled"))

    assert (larger.units, larger.level) == (2.0, 95.0)
    assert larger.client_order_id != stop.client_order_id


def test_a_trailing_stop_is_replaced_when_it_moves_and_stays_when_it_does_not() -> None:
    desk, stop = resting({"trailing_stop": 0.1})
    assert told_of(stop)[4:] == (90.0, "trailing_stop")

    assert sent(told := desk.candle(100.0)) == cancels(told) == []
    assert cancels(desk.candle(120.0)) == [stop.client_order_id]
    (moved,) = sent(desk.answer(stop, "cancelled"))

    assert told_of(moved)[3:] == (4.0, 108.0, "trailing_stop")
    assert cancels(desk.candle(119.0)) == []


def test_a_stop_that_fills_closes_the_position_for_its_reason_and_nothing_follows() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    told = desk.fill(stop, 4.0, 94.5, "2")

    (trade,) = [one for one in told if isinstance(one, Traded)]
    assert (trade.exit_reason, trade.exit_price, trade.profit) == ("stop_loss", 94.5, -22.0)
    assert trade.slippage == pytest.approx(4.0 * 0.5)
    assert sent(told) == cancels(told) == []
    assert desk.position == 0.0


def test_a_stop_that_fills_in_part_goes_on_and_fits_what_is_left() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    told = desk.fill(stop, 1.0, 95.0, "2")
    assert sent(told) == cancels(told) == []
    (trade,) = [one for one in desk.fill(stop, 3.0, 93.0, "3") if isinstance(one, Traded)]

    assert (trade.exit_reason, trade.exit_price) == ("stop_loss", 93.5)


def test_a_target_waits_until_the_stop_is_cancelled() -> None:
    desk, stop = resting({"stop_loss": 0.05, "take_profit": 0.1})

    told = desk.candle(111.0)
    assert (cancels(told), sent(told)) == ([stop.client_order_id], [])
    (exit_,) = sent(desk.answer(stop, "cancelled"))

    assert (exit_.leg, exit_.kind, exit_.units, exit_.reason) == (
        "exit", "market", 4.0, "take_profit",
    )  # fmt: skip
    assert sent(desk.fill(exit_, 4.0, 111.0, "2")) == []


def test_of_a_stop_and_a_target_that_meet_one_closes_the_position() -> None:
    desk, stop = resting({"stop_loss": 0.05, "take_profit": 0.1})
    desk.candle(111.0)

    told = desk.fill(stop, 4.0, 95.0, "2")

    (trade,) = [one for one in told if isinstance(one, Traded)]
    assert (trade.exit_reason, desk.position) == ("stop_loss", 0.0)
    assert sent(told) == []
    assert [one.leg for one in desk.orders] == ["enter", "stop"]


def test_of_a_stop_that_was_filled_in_part_the_rest_leaves_at_the_market() -> None:
    desk, stop = resting({"stop_loss": 0.05, "take_profit": 0.1})
    desk.candle(111.0)
    desk.fill(stop, 1.0, 95.0, "2")

    (exit_,) = sent(desk.answer(stop, "cancelled"))
    assert exit_.units == 3.0


def test_a_stop_that_the_close_has_passed_is_cancelled_and_the_close_acts() -> None:
    """The broker has not said that it was triggered: the second line behind it."""
    desk, stop = resting({"stop_loss": 0.05})

    assert cancels(desk.candle(94.0)) == [stop.client_order_id]
    (exit_,) = sent(desk.answer(stop, "cancelled"))
    assert (exit_.kind, exit_.reason) == ("market", "stop_loss")


def test_a_stop_that_the_broker_refuses_is_told_and_asked_again_on_the_next_close() -> None:
    desk, (stop,) = holding({"stop_loss": 0.05})

    told = desk.answer(stop, "rejected", "stop price must be below the market")
    assert [one.key for one in told if isinstance(one, Alerted)] == [f"rejected:{NAME}"]
    assert sent(told) == []
    (again,) = sent(desk.candle(100.0))
    assert (again.leg, again.level) == ("stop", 95.0)


def test_a_stop_whose_day_is_over_is_sent_anew() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    (again,) = sent(desk.answer(stop, "expired"))
    assert (again.units, again.level) == (4.0, 95.0)


def test_a_pause_leaves_the_stop_a_halt_cancels_it_and_a_release_brings_it_back() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    assert cancels(desk.command("pause")) == []
    assert cancels(desk.command("halt")) == [stop.client_order_id]
    assert sent(desk.answer(stop, "cancelled")) == []
    desk.command("resume")
    desk.command("release")
    (again,) = [order for order in sent(desk.candle(100.0)) if order.leg == "stop"]
    assert again.units == 4.0


def test_a_session_that_ends_leaves_no_stop_behind() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    assert cancels(desk.command("stop")) == [stop.client_order_id]
    told = desk.answer(stop, "cancelled")

    assert sent(told) == []
    assert [one.state for one in told if isinstance(one, StateChanged)] == ["stopped"]


def test_flattening_cancels_the_stop_first() -> None:
    desk, stop = resting({"stop_loss": 0.05})

    told = desk.command("flatten")
    assert (cancels(told), sent(told)) == ([stop.client_order_id], [])
    (exit_,) = sent(desk.answer(stop, "cancelled"))
    assert (exit_.kind, exit_.units) == ("market", 4.0)


def test_after_a_restart_a_stop_is_looked_up_and_sent_again_under_its_id() -> None:
    desk, (stop,) = holding({"stop_loss": 0.05})
    desk.engine = Engine.restore(desk.engine.snapshot(), WITH_OWN)

    told = desk.recover()
    assert LookupIntended(stop.client_order_id) in told
    assert sent(told) == []
    (again,) = [one for one in desk.look_up(stop, None) if isinstance(one, Intended)]

    assert again.is_again
    assert again.order.client_order_id == stop.client_order_id


def test_after_a_restart_a_cancel_that_was_asked_is_asked_again() -> None:
    desk, stop = resting({"stop_loss": 0.05, "take_profit": 0.1})
    desk.candle(111.0)
    desk.engine = Engine.restore(desk.engine.snapshot(), WITH_OWN)

    assert [one.client_order_id for one in desk.recover() if isinstance(one, CancelIntended)] == [
        stop.client_order_id
    ]
    assert desk.orders[-1].state is OrderState.ACCEPTED
