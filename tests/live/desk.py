"""A session with a broker outside, whose every word the test says."""

from __future__ import annotations

import math

from live.engine import Engine
from live.events import (
    Alerted,
    CancelIntended,
    CandleClosed,
    Commanded,
    Derived,
    Facts,
    Filled,
    Intended,
    LookedUp,
    OrderAnswered,
    Recovered,
    Started,
)
from live.orders import Order, OrderState
from mela.interval import Interval
from mela.session import parse_session
from tests.live.random_sessions import MONDAY_MS, SESSION_ID, WITH_OWN

NAME = "alpaca:BTC/USD"
MINUTE_MS = 60_000


class Desk:
    """Steps a session on minutes, and keeps all that the engine told."""

    def __init__(
        self,
        strategy: str = "buy_and_hold",
        params: dict | None = None,
        *,
        of: str = NAME,
        since_ms: int = MONDAY_MS,
        **more,
    ) -> None:
        self.name = of
        document = {
            "name": "desk", "instruments": [of], "interval": "1m", "broker": {"kind": "alpaca"},
            "strategy": {"name": strategy, "params": params or {}}, "cash": 1_000.0,
            "costs": {"fee": 0.0, "slippage": 0.0},
            **more,
        }  # fmt: skip
        self.engine = Engine(WITH_OWN)
        self.told: list[Derived] = []
        self.log = []
        self.events = []  # of both, in order
        self.at_ms = since_ms
        facts = Facts(of, "spot", "USD", "24/7" if "/" in of else "XNYS")
        content = parse_session(document).content()
        self.say(Started(SESSION_ID, content, since_ms, (facts,), (), since_ms))

    def say(self, event) -> list[Derived]:
        """Let the engine take an event; return what it derived."""
        self.log.append(event)
        told = self.engine.apply(event)
        self.told += told
        self.events += [event, *told]
        return told

    def candle(
        self, price: float = 100.0, low: float | None = None, late_ms: int = 0
    ) -> list[Derived]:
        """Close the next minute at a price. late_ms: how long after its end it is heard of."""
        opened = self.at_ms
        self.at_ms += MINUTE_MS
        least = price if low is None else low
        values = (price, price, least, price, 10.0)
        heard_ms = self.at_ms + late_ms
        is_late = late_ms > 60_000
        return self.say(CandleClosed(self.name, Interval.M1, opened, *values, heard_ms, is_late))

    def answer(self, order: Order, state: str, why: str = "") -> list[Derived]:
        """Let the broker answer."""
        number = order.client_order_id
        return self.say(OrderAnswered(number, OrderState(state), "b1", self.at_ms, why))

    def fill(self, order: Order, units: float, price: float = 100.0, number: str = "1") -> list:
        """Let the broker fill an order."""
        return self.say(self.filled_event(order, units, price, number))

    def filled_event(self, order: Order, units: float, price: float, number: str) -> Filled:
        """Return what the broker would say of a fill."""
        return Filled(
            order.client_order_id, f"b1/{number}", self.name, order.side, units, price, 0.0,
            self.at_ms,
        )  # fmt: skip

    def look_up(self, order: Order, state: str | None) -> list[Derived]:
        """Let the broker say what it knows of an order; None for nothing."""
        found = OrderState(state or "unknown")
        return self.say(LookedUp(order.client_order_id, state is not None, found, "b1", self.at_ms))

    def command(self, kind: str) -> list[Derived]:
        """Let a person command."""
        return self.say(Commanded(kind, "a test", self.at_ms))

    def recover(self) -> list[Derived]:
        """Let the process begin anew."""
        return self.say(Recovered(self.at_ms))

    @property
    def orders(self) -> list[Order]:
        """Return all orders as they are now."""
        return list(self.engine.accounts[0].book.orders.known.values())

    @property
    def position(self) -> float:
        """Return the units held."""
        return self.engine.accounts[0].book.account.position

    @property
    def cash(self) -> float:
        """Return the cash of the account."""
        return self.engine.accounts[0].book.account.cash

    @property
    def critical(self) -> list[str]:
        """Return the keys of the worst alerts."""
        alerts = [one for one in self.told if isinstance(one, Alerted)]
        return [one.key for one in alerts if one.level == "critical"]


def sent(told: list[Derived]) -> list[Order]:
    """Return the orders that are to be submitted."""
    return [one.order for one in told if isinstance(one, Intended) and one.for_broker]


def cancels(told: list[Derived]) -> list[str]:
    """Return the orders that are to be cancelled."""
    return [one.client_order_id for one in told if isinstance(one, CancelIntended)]


def is_nan(value: float) -> bool:
    """Tell whether a number is none."""
    return math.isnan(value)
