"""Each difference between a session and its broker has a stated rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from live.brokers.protocol import BrokerAccount, BrokerFill, BrokerOrder, BrokerPosition
from live.orders import Order, OrderState
from live.reconcile import Ours, compare, theirs

NAME = "alpaca:AAPL"
MONEY = BrokerAccount("1", "USD", 1_000.0, 1_000.0, 1_000.0, True, False, True)
ORDER = Order(
    "a", NAME, "enter", "buy", "market", 4.0, math.nan, "entry", 0, 1, OrderState.ACCEPTED
)
OURS = Ours((NAME,), {}, {}, {NAME: 2.0}, 1_000.0)
HELD = [BrokerPosition(NAME, 2.0, 100.0)]
THEIRS = BrokerOrder("a", "b1", NAME, "buy", 4.0, "accepted", 0.0, None, 5, "new")
FILL = BrokerFill("b1/4", "a", "b1", NAME, "buy", 4.0, 100.0, 0.0, 5)


def found(
    ours: Ours, orders=(), held=HELD, money=MONEY, fills=(), still=()
) -> list[tuple[str, str]]:
    differences = compare(ours, theirs(orders, held, money, fills), still)
    return [(one.kind, one.rule) for one in differences]


def test_what_agrees_differs_in_nothing() -> None:
    assert found(replace(OURS, orders={"a": ORDER}), [THEIRS]) == []


@pytest.mark.parametrize(
    ("others", "rule"), [(0.0, None), (500.0, None), (509.0, "ignore"), (530.0, "stop")]
)
def test_what_earlier_sessions_count_on_is_not_there_twice(others: float, rule: str | None) -> None:
    money = replace(MONEY, cash=1_500.0)
    found = compare(OURS, theirs([], HELD, money, []), (), others)
    assert [(one.kind, one.rule) for one in found] == ([("cash", rule)] if rule else [])
    assert not found or (found[0].ours, found[0].theirs) == (1_000.0 + others, 1_500.0)
    assert rule != "stop" or "beside 530.00 that sessions started earlier count on" in found[0].why


def test_a_position_that_differs_stops_unless_an_open_order_may_explain_it() -> None:
    held = [BrokerPosition(NAME, 3.0, 100.0)]
    assert found(OURS, held=held) == [("position", "stop")]
    buying = replace(OURS, orders={"a": ORDER})
    assert found(buying, [THEIRS], held) == [("position", "ignore")]
    assert found(buying, [THEIRS], held, still=[NAME]) == [("position", "stop")]
    assert found(buying, [THEIRS], [BrokerPosition(NAME, 6.5, 100.0)]) == [("position", "stop")]
    assert found(buying, [THEIRS], [BrokerPosition(NAME, 1.0, 100.0)]) == [("position", "stop")]


@pytest.mark.parametrize(("units", "rule"), [(1.0, "ignore"), (-5.0, "stop"), (3.0, "stop")])
def test_a_stop_that_rests_explains_no_more_than_it_would_sell(units: float, rule: str) -> None:
    stop = replace(ORDER, leg="stop", side="sell", kind="stop", units=2.0, level=90.0)
    there = replace(THEIRS, side="sell", units=2.0)
    held = [BrokerPosition(NAME, units, 100.0)]
    assert found(replace(OURS, orders={"a": stop}), [there], held) == [("position", rule)]


def test_an_order_that_nobody_gave_stops_and_one_that_is_gone_is_looked_up() -> None:
    assert found(OURS, [THEIRS]) == [("order", "stop")]
    assert found(replace(OURS, orders={"a": ORDER})) == [("order", "ignore")]
    ended = replace(ORDER, state=OrderState.CANCELLED)
    assert found(replace(OURS, orders={"a": ended}), [THEIRS]) == [("order", "stop")]


def test_a_fill_of_an_order_that_nobody_gave_stops() -> None:
    assert found(OURS, fills=[FILL]) == [("fill", "stop")]
    known = replace(OURS, orders={"a": replace(ORDER, state=OrderState.FILLED)})
    assert found(known, fills=[FILL]) == [("fill", "ignore")]
    assert found(replace(known, fill_ids={"a": frozenset({"b1/4"})}), fills=[FILL]) == []


def test_less_cash_stops_but_for_fees_that_came_later() -> None:
    assert found(OURS, money=replace(MONEY, cash=995.0)) == [("cash", "ignore")]
    assert found(OURS, money=replace(MONEY, cash=900.0)) == [("cash", "stop")]
    assert found(OURS, money=replace(MONEY, cash=9_000.0)) == []


def test_a_blocked_account_stops() -> None:
    assert found(OURS, money=replace(MONEY, is_blocked=True)) == [("account", "stop")]
