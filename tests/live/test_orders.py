"""An order only moves forward, and its fills count whenever they come."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.orders import ENDED, Order, OrderState, answered, client_order_id, filled

SESSION = "0192f0c1-2222-7333-8444-555555555555"
BOUGHT = Order("a", "x:Y", "enter", "buy", "market", 4.0, math.nan, "entry", 0, 1)


def test_an_answer_moves_an_order_on_and_an_old_one_does_not() -> None:
    accepted = answered(BOUGHT, OrderState.ACCEPTED, 5, broker_order_id="b1")

    assert (accepted.state, accepted.broker_order_id, accepted.changed_ms) == ("accepted", "b1", 5)
    assert answered(accepted, OrderState.SUBMITTED, 9) is accepted
    assert answered(accepted, OrderState.UNKNOWN, 9) is accepted


def test_fills_add_up_to_their_average_price() -> None:
    half = filled(BOUGHT, 1.0, 100.0, 0.1, 5)
    whole = filled(half, 3.0, 104.0, 0.3, 6)

    assert (half.state, half.left) == (OrderState.PARTLY_FILLED, 3.0)
    assert (whole.state, whole.average_price, whole.fees) == (OrderState.FILLED, 103.0, 0.4)


def test_a_cancelled_order_that_fills_whole_is_filled_and_in_part_stays_cancelled() -> None:
    cancelled = answered(BOUGHT, OrderState.CANCELLED, 2)

    assert filled(cancelled, 1.0, 100.0, 0.0, 3).state is OrderState.CANCELLED
    assert filled(cancelled, 4.0, 100.0, 0.0, 3).state is OrderState.FILLED


@given(words=st.lists(st.sampled_from(list(OrderState)), max_size=12))
def test_no_words_bring_an_ended_order_back(words: list[OrderState]) -> None:
    order, ended = BOUGHT, None
    for at, word in enumerate(words):
        order = answered(order, word, at)
        if ended is not None:
            assert order.state in (ended, OrderState.FILLED)
        ended = order.state if order.state in ENDED else None


@given(
    symbol=st.from_regex(r"[A-Z0-9]{1,20}(/[A-Z]{1,6})?", fullmatch=True),
    ms=st.integers(0, 4 * 10**12),
    attempt=st.integers(1, 99),
)
def test_an_id_has_at_most_48_characters_that_brokers_take(symbol, ms, attempt) -> None:
    number = client_order_id(SESSION, f"alpaca:{symbol}", ms, "enter", attempt)

    assert len(number) <= 48
    assert number.replace("-", "").isalnum()
    assert number.isascii()


@pytest.mark.parametrize(
    "other",
    [
        (SESSION, "bybit:BTC/USD", 60_000, "enter", 1),
        (SESSION, "alpaca:BTC/USD", 120_000, "enter", 1),
        (SESSION, "alpaca:BTC/USD", 60_000, "exit", 1),
        (SESSION, "alpaca:BTC/USD", 60_000, "enter", 2),
    ],
)
def test_what_differs_in_a_decision_differs_in_its_id(other) -> None:
    assert client_order_id(SESSION, "alpaca:BTC/USD", 60_000, "enter", 1) != client_order_id(*other)
