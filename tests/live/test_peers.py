"""Limits of a session at a broker count over all its instruments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.build import session_of
from live.engine import Engine
from live.events import (
    CandleClosed,
    Derived,
    Facts,
    Filled,
    Intended,
    Judged,
    OrderAnswered,
    OrderChanged,
    Started,
)
from live.orders import Order, OrderState
from mela.interval import Interval
from mela.session import parse_session
from tests.live.random_sessions import MONDAY_MS, SESSION_ID, WITH_OWN

NAMES = ("alpaca:BTC/USD", "alpaca:ETH/USD", "alpaca:SOL/USD")
MINUTE_MS = 60_000
SEEDS = st.integers(0, 2**32 - 1)
law = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Desks:
    """A session of several instruments, whose broker the test is; it keeps books of its own."""

    def __init__(self, strategy: str = "buy_and_hold", **more: Any) -> None:
        document = {
            "name": "desks", "instruments": list(NAMES), "interval": "1m", "cash": 1_000.0,
            "strategy": {"name": strategy}, "costs": {"fee": 0.0, "slippage": 0.0},
            "broker": {"kind": "alpaca", "stops": "close"}, **more,
        }  # fmt: skip
        self.engine = Engine(WITH_OWN)
        self.at_ms = MONDAY_MS
        self.closes: dict[str, float] = {}
        self.held = dict.fromkeys(NAMES, 0.0)
        self.cash = 1_000.0 * len(NAMES)
        self.waiting: dict[str, Order] = {}
        self.log: list[Any] = []
        content = parse_session(document).content()
        facts = tuple(Facts(name, "spot", "USD", "24/7") for name in NAMES)
        self.say(Started(SESSION_ID, content, MONDAY_MS, facts, (), MONDAY_MS))

    def say(self, event: Any) -> list[Derived]:
        if isinstance(event, Filled):
            signed = event.units if event.side == "buy" else -event.units
            self.held[event.instrument] += signed
            self.cash -= signed * event.price
        self.log.append(event)
        told = self.engine.apply(event)
        for one in told:
            if isinstance(one, Intended | OrderChanged):
                self.waiting.pop(one.order.client_order_id, None)
                if one.order.is_open:
                    self.waiting[one.order.client_order_id] = one.order
        return told

    def candle(self, name: str, price: float = 100.0) -> list[Derived]:
        """Close the minute that is open now, of one instrument."""
        self.closes[name] = price
        end = self.at_ms + MINUTE_MS
        return self.say(
            CandleClosed(name, Interval.M1, self.at_ms, price, price, price, price, 10.0, end)
        )

    def fill(self, order: Order, share: float = 1.0, price: float | None = None) -> list[Derived]:
        number = f"{order.client_order_id}/{len(self.log)}"
        paid = self.closes[order.instrument] if price is None else price
        return self.say(
            Filled(
                *(order.client_order_id, number, order.instrument, order.side),
                *(order.left * share, paid, 0.0, self.at_ms),
            )
        )

    @property
    def exposure(self) -> tuple[float, float, float]:
        """Return gross, net and equity by the test's own books, entries that wait included."""
        worth = [self.held[name] * self.closes.get(name, 0.0) for name in NAMES]
        entries = [one for one in self.waiting.values() if one.leg == "enter"]
        waits = [
            (1.0 if one.side == "buy" else -1.0) * one.left * self.closes[one.instrument]
            for one in entries
        ]
        gross = float(np.abs(worth).sum() + np.abs(waits).sum())
        return gross, float(np.sum(worth) + np.sum(waits)), self.cash + float(np.sum(worth))


def entered(told: list[Derived]) -> list[Order]:
    return [one.order for one in told if isinstance(one, Intended) and one.order.leg == "enter"]


def codes(told: list[Derived]) -> list[str]:
    return [one.code for one in told if isinstance(one, Judged)]


@pytest.mark.parametrize(
    ("risk", "code"),
    [
        ({"max_gross": 1_500}, "max_gross"),
        ({"max_net": 1_500}, "max_net"),
        ({"max_leverage": 0.5}, "max_leverage"),  # of 3,000, which all accounts have
        ({"max_open_orders": 1}, "max_open_orders"),
    ],
)
def test_what_one_instrument_takes_is_no_longer_there_for_the_next(risk: Any, code: str) -> None:
    """Each would enter for 950, which is within each limit."""
    desks = Desks(risk=risk)
    [order] = entered(desks.candle(NAMES[0]))
    told = desks.candle(NAMES[1])
    assert (entered(told), codes(told)) == ([], [code])
    if code != "max_open_orders":
        desks.fill(order)
        told = desks.candle(NAMES[2])
        assert (entered(told), codes(told)) == ([], [code])

    alone = Desks(risk=risk, broker={"kind": "alpaca", "stops": "close", "limits": "each"})
    found = [len(entered(alone.candle(name))) for name in NAMES]
    assert found == [1, 1, 1] if code != "max_leverage" else [0, 0, 0]


def test_the_money_that_is_free_is_that_of_all_accounts() -> None:
    """A short position has lost more than the other accounts have: nothing is free any more."""
    risk = {"buying_power": True}
    more = {"direction": "both", "sizing": {"kind": "units", "units": 9.0, "max_exposure": 1.0}}
    desks = Desks(risk=risk, **more)
    [order] = entered(desks.candle(NAMES[0]))
    desks.fill(order, price=100.0)
    desks.closes[NAMES[0]] = 100.0
    told = desks.candle(NAMES[1])
    [second] = entered(told)
    assert codes(told) == ["passed"]
    assert second.units == 9.0


def test_a_log_from_before_goes_on_with_each_instrument_by_itself() -> None:
    asked = {
        "name": "old",
        "instruments": list(NAMES),
        "interval": "1m",
        "strategy": {"name": "sma_cross"},
    }
    document = parse_session({**asked, "broker": {"kind": "alpaca"}}).content()
    assert document["broker"]["limits"] == "together"
    del document["broker"]["limits"]
    old = session_of(Started(SESSION_ID, document, 0, (), (), 0))
    assert old.broker.limits == "each"  # pyright: ignore[reportAttributeAccessIssue]


@law
@given(SEEDS)
def test_no_entry_of_any_instrument_passes_what_the_session_may_hold(seed: int) -> None:
    """Random prices, fills in parts, refusals and silence; the test adds up by itself."""
    rng = np.random.default_rng(seed)
    limit = float(rng.choice([600.0, 1_500.0, 2_200.0]))
    kind = str(rng.choice(["max_gross", "max_net", "max_leverage"]))
    asked = limit / 3_000.0 if kind == "max_leverage" else limit
    desks = Desks(
        "sides", direction="both", risk={kind: asked}, sizing={"kind": "fraction", "fraction": 0.4}
    )
    for _ in range(60):
        for name in rng.permutation(NAMES).tolist():
            before = desks.closes.get(name, 100.0)
            told = desks.candle(name, round(before * float(1 + rng.normal(0, 0.03)), 2))
            for order in entered(told):
                gross, net, equity = desks.exposure
                if kind == "max_gross":
                    assert gross <= limit * (1 + 1e-9)
                elif kind == "max_net":
                    assert abs(net) <= limit * (1 + 1e-9)
                else:
                    assert gross <= asked * equity * (1 + 1e-9)
                assert order.units > 0.0
            for order in list(desks.waiting.values()):
                answer = rng.random()
                if answer < 0.5:
                    desks.fill(order, float(rng.choice([0.3, 1.0, 1.0])))
                elif answer < 0.6:
                    desks.say(
                        OrderAnswered(
                            order.client_order_id, OrderState.REJECTED, "b", desks.at_ms, "no"
                        )
                    )
        desks.at_ms += MINUTE_MS
    again = Engine(WITH_OWN)
    for number, event in enumerate(desks.log):
        again.apply(event)
        if number % 7 == 0:
            again = Engine.restore(again.snapshot(), WITH_OWN)
    assert again.digest() == desks.engine.digest()


def test_a_stop_that_rests_is_no_order_that_waits() -> None:
    desks = Desks(risk={"max_open_orders": 1}, exits={"stop_loss": 0.05}, broker={"kind": "alpaca"})
    [order] = entered(desks.candle(NAMES[0]))
    told = desks.fill(order)
    assert [one.order.leg for one in told if isinstance(one, Intended)] == ["stop"]
    assert len(entered(desks.candle(NAMES[1]))) == 1
