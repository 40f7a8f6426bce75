"""A book whose fills are a broker's: Alpaca's, or those of our paper broker with hard fills.

It has the account record of a backtest and decides on each close by the same rules: the size of an
entry, what a stop or a target reached, the time stop, the lost day. A decision leaves as an order
on that close; fills come back. The stop of a position may rest at the broker as an order; a target,
and a stop that does not rest, act one close later than in a backtest, which fills them within the
candle. The report on drift names that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from execution.candle_step import Candle
from execution.gated import Gate
from live.account import (
    Mode,
    Orders,
    asked,
    gate_restored,
    gate_saved,
    in_mode,
    is_near,
)
from live.books import candle_of
from live.broker_account import booked, stale
from live.broker_wants import BrokerWants
from live.events import (
    Alerted,
    CancelIntended,
    Derived,
    Filled,
    Intended,
    LookupIntended,
    OrderChanged,
    StateChanged,
    Valued,
)
from live.orders import UNANSWERED, OrderState
from live.papers import filled_on
from live.sequence import Step as Taken
from mela.curve import EXIT_REASONS


class BrokerBook(BrokerWants):
    """An account of one instrument that a broker fills."""

    @property
    def orders(self) -> Orders:
        """Return the orders of the account."""
        return self._orders

    @property
    def gate(self) -> Gate | None:
        """Return the gate of the account, None where it has no limits."""
        return self._gate

    @property
    def is_holding(self) -> bool:
        """Tell whether it has a position."""
        return self.account.side != 0.0

    @property
    def is_waiting(self) -> bool:
        """Tell whether a broker has open orders of it."""
        return bool(self._orders.open)

    def begin(self) -> list[Derived]:
        """Take nothing: what was decided before the start is not sent to a broker."""
        return []

    def step(self, taken: Taken, mode: Mode) -> list[Derived]:
        """Take one closed candle: what our paper broker fills on it, its value, what to do now."""
        (closed,) = taken.candles
        if closed is None or self.is_ruined:
            return []
        candle = candle_of(closed, self._trading, self._place)
        self._mode = mode
        told = self._paper_fills(candle)
        equity = self.account.take_close(candle)
        self._candle_ms = candle.opened_ms
        if self._gate is not None:
            self._gate.after(equity, (), float(candle.ended_ms))
        if equity <= 0.0:
            self.is_ruined = True
            why = "the equity is gone: the account is ruined, and takes no further step"
            told.append(StateChanged("session", self._place.number, "stopped", why))
            return [*told, *self._cancel_open(taken.at_ms, "the account is ruined")]
        if closed.is_late:
            mode = "reducing" if mode == "active" else mode
            told.append(stale(closed))
        said = asked(self._trading, lambda: self._trading.decider.said().decision, told)
        if mode != "active" or not self._may_enter:
            self.account.forget_entry()
        if self.account.decide(in_mode(said, mode)):
            self._entry_ms = self._candle_ms
        if mode == "leaving":
            self.account.leave()
        told += self._sync(taken.at_ms)
        what = equity, self.account.cash, self.account.held()
        told.append(Valued(self._place.number, candle.opened_ms, candle.ended_ms, *what))
        self._forget(taken.at_ms)
        return told

    def command(self, mode: Mode, at_ms: int) -> list[Derived]:
        """Obey at once: reducing, no entry rests, halted no order at all; leaving, all goes."""
        self._mode = mode
        if mode == "active" or self.is_ruined:
            return []
        self.account.forget_entry()
        if mode == "leaving":
            self.account.leave()
        return self._sync(at_ms)

    def filled(self, event: Filled) -> list[Derived]:
        """Take a fill, whichever state its order is in; the same one twice counts once."""
        number = event.client_order_id
        order = self._orders.known.get(number)
        if order is None or self._orders.is_filled(number, event.fill_id):
            return []
        moved = self._orders.fill(
            order, event.fill_id, event.units, event.price, event.fee, event.at_ms
        )
        told: list[Derived] = [booked(event), OrderChanged(moved)]
        if not order.is_open:
            text = f"{number} was {order.state} when {event.units:g} of it filled"
            told.append(Alerted("warning", f"late_fill:{order.instrument}", text))
        why = 1 + EXIT_REASONS.index(order.reason) if order.leg == "stop" else 0
        trade = self.account.take_fill(event, self._hoped.get(number, event.price), why)
        if trade is not None:
            told.append(trade)
            if self._gate is not None:
                profit = [(trade.instrument, trade.profit)]
                self._gate.after(self.account.equity, profit, float(event.at_ms))
        if not moved.is_open:
            self._ended(moved)
        if not self.account.is_allowed:
            self.account.leave()
            text = f"a fill of {number} left {self.account.position:g} {event.instrument}"
            alert = f"wrong_side:{event.instrument}"
            told.append(Alerted("critical", alert, f"{text}, which is closed at once"))
        return told + self._sync(event.at_ms)

    def not_found(self, number: str, at_ms: int) -> list[Derived]:
        """Hear that the broker has never had an order: it is sent again while it is still meant."""
        order = self._orders.known.get(number)
        if order is None or order.state not in UNANSWERED:
            return []
        # an exit keeps its id: were it on its way still, one under another id would sell twice
        if (order.candle_ms == self._candle_ms or order.leg == "exit") and self._is_wanted(order):
            told = self._orders.answer(order, OrderState.SUBMITTED, at_ms, "sent again")
            return [*told, Intended(self._orders.known[number], for_broker=True, is_again=True)]
        told = self._orders.answer(order, OrderState.EXPIRED, at_ms, "it never reached the broker")
        self._ended(self._orders.known[number])
        return told + self._sync(at_ms)

    def recovered(self, at_ms: int) -> list[Derived]:
        """Take that the process began anew: look up what has no answer, ask each cancel again."""
        told: list[Derived] = []
        for order in self._orders.open if self._paper is None else ():
            number = order.client_order_id
            if order.state in UNANSWERED:
                told += self._orders.answer(order, OrderState.UNKNOWN, at_ms, "begun anew")
                told.append(LookupIntended(number))
            if self._cancelled.get(number) == self._candle_ms:
                told.append(CancelIntended(number, for_broker=True, why="begun anew"))
        return told

    def adopted(self, units: float, price: float, cash: float, at_ms: int) -> list[Derived]:
        """Take what the broker has for what counts. units: contracts held now, signed."""
        change = units - self.account.position
        self.account.add_cash(cash)
        if is_near(units, self.account.position):
            return []
        order = self._orders.intend(
            *(self._trading.instrument, "enter" if units else "exit"),
            *(math.copysign(1.0, change), self._candle_ms, at_ms),
            units=abs(change), reason="adopted",
        )  # fmt: skip
        number = order.client_order_id
        what = order.instrument, order.side, abs(change)
        fill = Filled(number, f"{number}/adopted", *what, price, 0.0, at_ms)
        return [Intended(order, for_broker=False), *self.filled(fill)]

    def faults(self) -> list[str]:
        """Return what does not add up: position and cash against all fills."""
        return self.account.faults()

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "account": self.account.save(),
            "orders": self._orders.save(),
            "gate": gate_saved(self._gate),
            "hoped": self._hoped,
            "cancelled": self._cancelled,
            "candles": [self._candle_ms, self._entry_ms],
            "mode": self._mode,
            "is_ruined": self.is_ruined,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.account.restore(saved["account"])
        self._orders.restore(saved["orders"])
        gate_restored(self._gate, saved["gate"])
        self._hoped, self._cancelled = dict(saved["hoped"]), dict(saved["cancelled"])
        self._candle_ms, self._entry_ms = saved["candles"]
        self._mode, self.is_ruined = saved["mode"], saved["is_ruined"]

    def _paper_fills(self, candle: Candle) -> list[Derived]:
        """Let our paper broker fill on a candle what was ordered before it."""
        told: list[Derived] = []
        units, lasting_ms, terms = self._trading.units, self._place.lasting_ms, self.account.terms
        for order in self._orders.open if self._paper is not None else ():
            if self._paper is None or not self._orders.known[order.client_order_id].is_open:
                continue  # a fill of another one has ended it
            count = len(self._orders.fill_ids.get(order.client_order_id, ()))
            event = filled_on(candle, order, count, units, lasting_ms, self._paper, terms)
            told += [] if event is None else self.filled(event)
        return told

    def _forget(self, at_ms: int) -> None:
        self._orders.forget(at_ms)
        known, still = self._orders.known, {one.client_order_id for one in self._orders.open}
        self._hoped = {one: price for one, price in self._hoped.items() if one in known}
        self._cancelled = {one: ms for one, ms in self._cancelled.items() if one in still}
