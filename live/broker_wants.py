"""What an account wants of its broker, and how it asks: entries, exits, the stop that rests.

What is wanted and what the broker has are brought together after each event. What leaves before or
after the session of a stock is a limit of the day: no broker takes anything else then.
"""

from __future__ import annotations

import math

from execution.gate_state import Mode as GateMode
from execution.gated import Gate
from live.account import Mode, Orders, Place, looking
from live.after_hours import AfterHours
from live.books import KINDS
from live.broker_account import BrokerAccount, Wish, judge_entry
from live.events import (
    Alerted,
    CancelIntended,
    Derived,
    Intended,
    Judged,
    LookupIntended,
)
from live.orders import Leg, Order, OrderKind, OrderState
from live.papers import is_rejected
from live.peers import Exposure, Peers
from mela.session import AlpacaBroker, PaperBroker

LEGS: tuple[Leg, ...] = ("exit", "enter")
HALTED = "instrument_halted"  # the code of an entry that is refused while its market is halted


class BrokerWants:
    """An account of one instrument, its orders at a broker, and what is wanted of it.

    paper: our own paper broker; None for one outside, to whom orders are sent
    outside: what the session says of a broker outside, None with our own
    peers: all accounts of the session, where limits are judged over all; None for each by itself
    """

    def __init__(
        self,
        place: Place,
        paper: PaperBroker | None,
        outside: AlpacaBroker | None = None,
        peers: Peers | None = None,
    ) -> None:
        (self._trading,), self._place = place.traded, place
        self._peers = peers
        if peers is not None:
            peers.books.append(self)
        self._paper, self._has_stops = paper, outside is not None and outside.stops == "rest"
        beyond = None if outside is None else float(outside.beyond)
        self._hours = AfterHours(place, self._trading, beyond)
        self.account = BrokerAccount(place)
        risk = place.run.risk
        self._gate = None if risk is None else Gate(risk, float(place.run.cash))
        self._look = (
            None
            if self._gate is None
            else looking(place, self._gate, lambda _: float(self.account.closed_ms))
        )
        self._orders = Orders(place.session_id)
        self._hoped: dict[str, float] = {}  # the price that each order hoped for
        self._cancelled: dict[str, int] = {}  # order → the candle on which its cancel was asked
        self._candle_ms = 0  # the last one
        self._entry_ms = 0  # the one whose entry is wanted
        self._mode: Mode = "active"
        self.is_ruined = False

    def answered(
        self, number: str, state: OrderState, at_ms: int, why: str, broker_number: str
    ) -> list[Derived]:
        """Take what a broker said of an order."""
        order = self._orders.known.get(number)
        if order is None:
            return []
        if state in (OrderState.FILLED, OrderState.PARTLY_FILLED):
            state = OrderState.ACCEPTED  # its fills say how much, and when it is whole
        told = self._orders.answer(order, state, at_ms, why, broker_number)
        moved = self._orders.known[number]
        if moved.state is order.state:
            return told
        if moved.state is OrderState.UNKNOWN:
            return [*told, LookupIntended(number)]
        if moved.state is OrderState.REJECTED:
            text = f"{number} was rejected: {why or 'no reason was given'}"
            told.append(Alerted("warning", f"rejected:{moved.instrument}", text))
        if moved.is_open:
            return told
        self._ended(moved)
        # what was rejected is not asked again before the next close
        return told if moved.state is OrderState.REJECTED else told + self._sync(at_ms)

    def exposure(self) -> Exposure:
        """Return what the account has at its broker: its position, and the entries that wait."""
        account, contract = self.account, self._trading.units
        worth = account.position * contract * account.close if account.side != 0.0 else 0.0
        waiting = 0.0
        for order in self._orders.open:
            if order.leg == "enter":
                price = order.outside or (account.close if math.isnan(order.level) else order.level)
                side = 1.0 if order.side == "buy" else -1.0
                waiting += side * order.left * contract * price
        orders = [one for one in self._orders.open if one.leg != "stop"]
        gross = abs(worth) + abs(waiting)
        return Exposure(gross, worth + waiting, float(len(orders)), account.equity)

    def look_again(self, at_ms: int) -> list[Derived]:
        """Ask for what waited while the market was halted."""
        return [] if self.is_ruined else self._sync(at_ms)

    @property
    def _halt(self) -> tuple[int, str] | None:
        return self._place.halts.of(self._trading.instrument)

    @property
    def _may_enter(self) -> bool:
        return self._gate is None or self._gate.state.mode is GateMode.ACTIVE

    def _waiting(self, leg: Leg) -> Order | None:
        return self._orders.waiting(self._trading.instrument, leg)

    def _sync(self, at_ms: int) -> list[Derived]:
        """Ask for what the account wants and its broker lacks; cancel what it wants no more."""
        if self._mode == "halted" or self.is_ruined:
            return self._cancel_open(at_ms, str(self._mode))
        account, told = self.account, list[Derived]()
        entry = self._waiting("enter")
        if entry is None and account.side != 0.0 and account.wanted == account.side:
            account.forget_entry()  # of a position that is there
        if entry is not None and (account.is_leaving or not self._is_wanted(entry)):
            told += self._cancel(entry, at_ms, "no longer wanted")
        for order in self._orders.open if account.side == 0.0 else ():
            if order.leg != "enter":
                told += self._cancel(order, at_ms, "nothing is held any more")
        if account.side != 0.0:
            told += self._protect(at_ms)
        if account.is_leaving:
            return told + self._leave(at_ms)
        is_clear = account.side == 0.0 and not self._orders.open
        return told + self._enter(at_ms) if is_clear and account.wanted != 0.0 else told

    def _protect(self, at_ms: int) -> list[Derived]:
        """Let the stop of the position rest at the broker: the one that it has now, or none.

        A broker keeps what an order may sell, so that no other one may: a stop is cancelled before
        whatever takes its place leaves, and waits for an entry that is still filling. Outside the
        session no stop works: one that rests stays for the next one, and no other is given; the
        same holds while the market is halted.
        """
        is_outside = self._hours.are_on(self._now(at_ms)) and not self.account.is_leaving
        if is_outside or self._halt is not None:
            return []
        stop = self.account.stop() if self._may_rest else None
        resting = self._waiting("stop")
        if resting is not None and self.account.has_moved(resting, stop):
            return self._cancel(resting, at_ms, "it is not the stop of the position any more")
        if resting is not None or stop is None:
            return []
        return self._order("stop", -self.account.side, stop, at_ms)

    @property
    def _may_rest(self) -> bool:
        return self._has_stops and self._mode != "ending" and not any(map(self._waiting, LEGS))

    def _leave(self, at_ms: int) -> list[Derived]:
        if self._waiting("stop") is not None:
            return []  # its cancel is asked: what it does not sell is left for a market order
        told, wish = list[Derived](), self.account.exit()
        waiting = self._waiting("exit")
        if waiting is not None and waiting.kind == "limit" and wish.kind == "market":
            told += self._cancel(waiting, at_ms, "its time is over: a market order follows")
        elif waiting is not None and waiting.candle_ms != self._candle_ms:
            why = self._hours.are_over_for(waiting, self.account.close, self._now(at_ms))
            told += self._cancel(waiting, at_ms, why) if why else []
        if self._waiting("exit") is not None or self._halt is not None:
            return told
        return told + self._order("exit", -self.account.side, wish, at_ms)

    def _enter(self, at_ms: int) -> list[Derived]:
        told, side = list[Derived](), self.account.wanted
        halt = self._halt
        if halt is not None:
            units, since = self.account.entry()[0], {"since_ms": float(halt[0])}
            self.account.forget_entry()
            name = self._trading.instrument
            return [Judged(name, self._candle_ms, False, HALTED, units, 0.0, since)]
        kind = KINDS.get(self.account.terms.entry_kind, "stop")
        units, level = self.account.entry()
        limit = self._limit(kind, side, level, at_ms)
        if limit is not None and math.isnan(level) and side > 0.0:
            units *= self.account.close / limit  # it may cost so much more
        if units > 0.0 and self._gate is not None and self._look is not None:
            power = max(float(self._place.run.sizing.max_exposure), 1.0)
            judged = judge_entry(
                *(self._gate, self.account, self._look(0), self._candle_ms, at_ms),
                *(side, units, level if limit is None else limit, len(self._orders.open), power),
                None if self._peers is None else self._peers.exposure(),
            )
            units = judged.granted_units if judged.is_allowed else 0.0
            told.append(judged)
        if not units > 0.0:
            self.account.forget_entry(is_refused=not told)
            return told
        return told + self._order("enter", side, Wish(kind, units, level, "entry"), at_ms)

    def _order(self, leg: Leg, side: float, wish: Wish, at_ms: int) -> list[Derived]:
        kind, units, level, reason = wish
        order = self._orders.intend(
            *(self._trading.instrument, leg, side, self._candle_ms, at_ms),
            kind=kind, units=units / self._trading.units, level=level, reason=reason,
            outside=self._limit(kind, side, level, at_ms),
        )  # fmt: skip
        number = order.client_order_id
        self._hoped[number] = self.account.close if math.isnan(level) else level
        told: list[Derived] = [Intended(order, for_broker=self._paper is None)]
        if self._paper is None:
            return told
        refused = is_rejected(self._paper, number)
        state = OrderState.REJECTED if refused else OrderState.ACCEPTED
        why = "drawn by reject_chance" if refused else ""
        return told + self.answered(number, state, at_ms, why, "paper")

    def _now(self, at_ms: int) -> int:
        """Return the instant of an event, of which a broker may tell late: the last close or it."""
        return max(at_ms, self.account.closed_ms)

    def _limit(self, kind: OrderKind, side: float, level: float, at_ms: int) -> float | None:
        """Return the limit at which an order leaves outside the session; None within it."""
        if not self._hours.are_on(self._now(at_ms)):
            return None
        return self._hours.limit(kind, side, level, self.account.close)

    def _cancel_open(self, at_ms: int, why: str) -> list[Derived]:
        return [one for order in self._orders.open for one in self._cancel(order, at_ms, why)]

    def _cancel(self, order: Order, at_ms: int, why: str) -> list[Derived]:
        """Cancel an order: of a broker outside it is asked, once on each candle."""
        number = order.client_order_id
        if self._paper is None:
            if self._cancelled.get(number) == self._candle_ms:
                return []
            self._cancelled[number] = self._candle_ms
            return [CancelIntended(number, for_broker=True, why=why)]
        told = self._orders.answer(order, OrderState.CANCELLED, at_ms, why)
        self._ended(self._orders.known[number])
        return told

    def _ended(self, order: Order) -> None:
        """Want no longer what an entry that ended was to bring."""
        is_done = order.state is OrderState.FILLED or order.candle_ms == self._entry_ms
        if order.leg == "enter" and is_done:
            self.account.forget_entry()

    def _is_wanted(self, order: Order) -> bool:
        if order.leg == "stop":
            return self._may_rest and not self.account.has_moved(order, self.account.stop())
        if order.leg == "exit":
            return self.account.is_leaving
        if order.kind != "market" and order.candle_ms != self._entry_ms:
            return False  # a later close has ordered another level
        return (1.0 if order.side == "buy" else -1.0) == self.account.wanted
