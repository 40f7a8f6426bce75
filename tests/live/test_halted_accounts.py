"""An account that does not add up halts its whole session at once, with the time of the event."""

from __future__ import annotations

from live.engine import Engine
from live.events import (
    Alerted,
    CancelIntended,
    CandleClosed,
    Derived,
    Facts,
    Intended,
    OrderAnswered,
    OrderChanged,
    Started,
    StateChanged,
)
from live.orders import OrderState
from mela.interval import Interval
from mela.session import parse_session
from tests.live.random_sessions import MONDAY_MS, SESSION_ID, WITH_OWN

NAMES = ("alpaca:BTC/USD", "alpaca:ETH/USD")
MINUTE_MS = 60_000
SESSION = {
    "name": "desk",
    "instruments": list(NAMES),
    "interval": "1m",
    "broker": {"kind": "alpaca"},
    "strategy": {"name": "buy_and_hold", "params": {}},
    "cash": 1_000.0,
}


def candle(engine: Engine, name: str, n: int) -> list[Derived]:
    opened = MONDAY_MS + n * MINUTE_MS
    values = (100.0, 100.0, 100.0, 100.0, 10.0)
    return engine.apply(CandleClosed(name, Interval.M1, opened, *values, opened + MINUTE_MS))


def test_all_accounts_are_halted_at_once_where_one_does_not_add_up() -> None:
    engine = Engine(WITH_OWN)
    facts = tuple(Facts(name, "spot", "USD", "24/7") for name in NAMES)
    content = parse_session(SESSION).content()
    engine.apply(Started(SESSION_ID, content, MONDAY_MS, facts, (), MONDAY_MS))
    told = [one for n in range(2) for name in NAMES for one in candle(engine, name, n)]
    orders = {one.order.instrument: one.order for one in told if isinstance(one, Intended)}
    assert set(orders) == set(NAMES)
    for order in orders.values():
        at_ms = MONDAY_MS + 2 * MINUTE_MS
        engine.apply(OrderAnswered(order.client_order_id, OrderState("accepted"), "b1", at_ms, ""))

    engine.accounts[0].book.account._paid += 100.0
    told = candle(engine, NAMES[0], 2)

    assert [one.key for one in told if isinstance(one, Alerted)] == ["invariant:0"]
    assert [one.state for one in told if isinstance(one, StateChanged) and one.account < 0] == [
        "halted"
    ]
    cancelled = [one.client_order_id for one in told if isinstance(one, CancelIntended)]
    assert cancelled == [orders[name].client_order_id for name in NAMES]
    changed = [one.order.changed_ms for one in told if isinstance(one, OrderChanged)]
    assert set(changed) <= {MONDAY_MS + 3 * MINUTE_MS}
