"""What does not add up is found, whichever number of an account is wrong, and halts the session."""

from __future__ import annotations

import pytest

from live.events import Alerted, FillBooked, StateChanged
from live.invariants import Audit
from live.orders import OrderState
from tests.live.desk import NAME, Desk, sent


def holding() -> Desk:
    desk = Desk()
    (entry,) = sent(desk.candle())
    desk.answer(entry, "accepted")
    desk.fill(entry, entry.units / 2, 100.0, "1")
    desk.fill(entry, entry.units / 2, 101.0, "2")
    assert not any(one.key.startswith("invariant") for one in alerts(desk))
    return desk


def alerts(desk: Desk) -> list[Alerted]:
    return [one for one in desk.told if isinstance(one, Alerted)]


@pytest.mark.parametrize(
    ("field", "factor", "words"),
    [
        ("units", 1.5, "is not the sum of fills"),
        ("cash", 1.01, "is not what fills leave of it"),
        ("entry_price", 1 + 1e-8, "is not that of its fills"),
    ],
)
def test_a_wrong_number_of_the_record_halts(field: str, factor: float, words: str) -> None:
    desk = holding()
    state = desk.engine.accounts[0].book.account._state
    state[field] = state[field] * factor if field != "cash" else state[field] + 10.0
    told = desk.candle(102.0)
    assert [one.text for one in told if isinstance(one, Alerted) and words in one.text]
    assert [one for one in told if isinstance(one, StateChanged) and one.state == "halted"]


def test_an_order_that_was_never_intended_halts() -> None:
    desk = holding()
    orders = desk.engine.accounts[0].book.orders
    (order,) = desk.orders
    planted = orders.intend(NAME, "exit", -1.0, 0, desk.at_ms, units=order.units)
    told = desk.answer(planted, "accepted")
    assert [one for one in told if isinstance(one, Alerted) and "never intended" in one.text]


def test_a_fill_of_an_order_that_was_never_intended_is_a_fault() -> None:
    fill = FillBooked("x", "1", NAME, "buy", 1.0, 100.0, 0.0, 0)
    book = Desk().engine.accounts[0].book
    assert Audit([NAME]).faults(book, [fill]) == ["a fill of x, which was never intended"]


def test_after_a_restart_a_position_is_audited_from_the_next_one_on() -> None:
    desk = holding()
    again = type(desk.engine).restore(desk.engine.snapshot(), desk.engine._catalogue)
    desk.engine = again
    assert not [one for one in desk.candle(102.0) if isinstance(one, Alerted)]
    (leaving,) = sent(desk.command("flatten"))
    desk.answer(leaving, OrderState.ACCEPTED.value)
    desk.fill(leaving, leaving.units, 102.0, "3")
    desk.candle(102.0)
    assert not [one for one in alerts(desk) if one.key.startswith("invariant")]


def test_after_a_restart_an_order_that_is_sent_again_was_intended() -> None:
    desk = Desk()
    (entry,) = sent(desk.candle())
    desk.answer(entry, "unknown")
    desk.engine = type(desk.engine).restore(desk.engine.snapshot(), desk.engine._catalogue)
    told = desk.look_up(entry, None)
    assert [one.client_order_id for one in sent(told)] == [entry.client_order_id]
    assert not [one for one in told if isinstance(one, Alerted)]
