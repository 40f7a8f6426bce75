"""Shared by the books of a session: its instruments, gate, orders, and permissions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from backtests.gated_runs import market_at
from execution.candle_step import Decision
from execution.gate_state import GateState
from execution.gated import Gate, Market
from execution.gated import Judged as Asked
from execution.stepper import NO_DECISION
from live.decisions import Decider, Series
from live.events import Alerted, Derived, Judged, MarketStatus, OrderChanged
from live.orders import Leg, Order, OrderState, Side, answered, client_order_id, filled
from live.plain import plain, read
from live.sequence import Step
from mela.calendars import ALWAYS
from mela.curve import EXIT_REASONS
from mela.market_hours import phases, trades_in
from mela.run import Run

Mode = Literal["active", "reducing", "ending", "halted", "leaving"]
ENDED_KEPT_MS = 2 * 86_400_000  # a broker tells nothing of an order for longer than this


@dataclass(frozen=True, slots=True)
class Trading:
    """One instrument of an account: what it is, its candles, and who decides.

    units: of what its price is of, that one contract stands for
    calendar: of its market; lot, tick: None where nobody states one
    """

    instrument: str
    series: Series
    decider: Decider
    units: float
    calendar: str
    lot: float | None
    tick: float | None


@dataclass(slots=True)
class Lends:
    """The units that may be sold short by instrument, as the broker said last.

    is_stated: whether somebody says it at all. Without anybody there is enough, as in a backtest;
    of what a broker has not said, nothing is known
    """

    is_stated: bool = False
    units: dict[str, float] = field(default_factory=dict[str, float])

    def of(self, instrument: str) -> float:
        """Return the units of an instrument that can be borrowed; NaN where that is unknown."""
        return self.units.get(instrument, math.nan) if self.is_stated else math.inf


@dataclass(slots=True)
class Halts:
    """Instruments that do not trade now: instrument → who says so → since when, and why."""

    known: dict[str, dict[str, tuple[int, str]]] = field(
        default_factory=dict[str, dict[str, tuple[int, str]]]
    )

    def of(self, instrument: str) -> tuple[int, str] | None:
        """Return since when an instrument is halted, and why; None where it trades."""
        return min(self.known.get(instrument, {}).values(), default=None)

    def take(self, event: MarketStatus) -> None:
        """Take what was said; a halt that is told twice began with the first word."""
        sources = self.known.setdefault(event.instrument, {})
        if event.is_halted:
            sources.setdefault(event.source, (event.at_ms, event.why))
        else:
            sources.pop(event.source, None)
        if not sources:
            del self.known[event.instrument]

    def end_by_candle(self, instrument: str, opened_ms: int) -> bool:
        """End a halt of the stream that began before a candle opened; tell whether it trades."""
        since = self.known.get(instrument, {}).get("stream")
        if since is None or opened_ms < since[0]:
            return False
        self.take(MarketStatus(instrument, False, opened_ms))
        return instrument not in self.known

    def save(self) -> dict[str, Any]:
        """Return all halts as JSON values."""
        return {
            name: {who: list(one) for who, one in by.items()} for name, by in self.known.items()
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from saved halts."""
        self.known = {
            name: {who: (one[0], one[1]) for who, one in by.items()} for name, by in saved.items()
        }


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an account in its session.

    number: which one it is; lasting_ms: of a candle; start_ms: of the
    first one that it trades.
    """

    session_id: str
    number: int
    run: Run
    traded: tuple[Trading, ...]
    lasting_ms: int
    start_ms: int
    lends: Lends = field(default_factory=Lends)
    halts: Halts = field(default_factory=Halts)

    def is_in_hours(self, trading: Trading, opened_ms: int) -> bool:
        """Tell whether a candle lies in the hours in which the run trades."""
        hours, interval = self.run.sessions, self.run.interval
        if hours is None or trading.calendar == ALWAYS or not interval.is_intraday:
            return True
        marked = phases(trading.calendar, interval, np.array([opened_ms], np.int64))
        return bool(trades_in(marked, hours)[0])


class Book(Protocol):
    """One account: takes steps, and on a broker's account also what the broker says."""

    @property
    def orders(self) -> Orders:
        """Return the orders of the account."""
        ...

    @property
    def gate(self) -> Gate | None:
        """Return its gate, None where it has no limits."""
        ...

    @property
    def is_holding(self) -> bool:
        """Tell whether it has a position."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Tell whether a broker has open orders of it."""
        ...

    def begin(self) -> list[Derived]:
        """Take the decision on the last warm-up candle."""
        ...

    def step(self, taken: Step, mode: Mode) -> list[Derived]:
        """Take one step whose candles the series have already."""
        ...

    def command(self, mode: Mode, at_ms: int) -> list[Derived]:
        """Obey a person between two candles."""
        ...

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        ...

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...

    def faults(self) -> list[str]:
        """Return what does not add up; nothing where all does."""
        ...


@dataclass(slots=True)
class Orders:
    """The orders of one account, and the ids that were given on one candle."""

    session_id: str
    known: dict[str, Order] = field(default_factory=dict[str, Order])
    fill_ids: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    _open: dict[str, str] = field(default_factory=dict[str, str])
    _candle_ms: int = 0
    _given: dict[str, int] = field(default_factory=dict[str, int])

    def intend(
        self,
        instrument: str,
        leg: Leg,
        side: float,
        candle_ms: int,
        at_ms: int,
        *,
        kind: Literal["market", "limit", "stop"] = "market",
        units: float = math.nan,
        level: float = math.nan,
        reason: str = "entry",
        outside: float | None = None,
    ) -> Order:
        """Make an order and keep it; its id is the same for the same decision."""
        if candle_ms != self._candle_ms:
            self._candle_ms, self._given = candle_ms, {}
        key = f"{instrument} {leg}"
        self._given[key] = attempt = self._given.get(key, 0) + 1
        number = client_order_id(self.session_id, instrument, candle_ms, leg, attempt)
        word: Side = "buy" if side > 0.0 else "sell"
        order = Order(
            number, instrument, leg, word, kind, units, level, reason, candle_ms, at_ms,
            changed_ms=at_ms, outside=outside,
        )  # fmt: skip
        self._keep(order)
        return order

    def waiting(self, instrument: str, leg: Leg) -> Order | None:
        """Return the last order of an instrument and leg, if it is open."""
        number = self._open.get(f"{instrument} {leg}")
        return None if number is None else self.known[number]

    @property
    def open(self) -> list[Order]:
        """Return all open orders, the oldest first."""
        return [order for order in self.known.values() if order.is_open]

    def _keep(self, order: Order) -> None:
        self.known[order.client_order_id] = order
        key = f"{order.instrument} {order.leg}"
        if order.is_open:
            self._open[key] = order.client_order_id
        elif self._open.get(key) == order.client_order_id:
            del self._open[key]

    def answer(
        self, order: Order, state: OrderState, at_ms: int, why: str = "", number: str = ""
    ) -> list[Derived]:
        """Move an order on; nothing where the word is old."""
        moved = answered(order, state, at_ms, why, number)
        if moved == order:
            return []
        self._keep(moved)
        return [OrderChanged(moved)]

    def fill(
        self, order: Order, fill_id: str, units: float, price: float, fee: float, at_ms: int
    ) -> Order:
        """Count a fill of an order; the caller has asked whether it is new."""
        self.fill_ids.setdefault(order.client_order_id, set()).add(fill_id)
        moved = filled(order, units, price, fee, at_ms)
        self._keep(moved)
        return moved

    def is_filled(self, client_order_id: str, fill_id: str) -> bool:
        """Tell whether a fill is counted already."""
        return fill_id in self.fill_ids.get(client_order_id, ())

    def forget(self, at_ms: int, kept_ms: int = ENDED_KEPT_MS) -> None:
        """Forget orders that ended long ago, so that memory stays flat."""
        old = at_ms - kept_ms
        first = next(iter(self.known.values()), None)
        if first is None or first.changed_ms >= old or first.is_open:
            return
        for number, order in list(self.known.items()):
            if not order.is_open and order.changed_ms < old:
                del self.known[number]
                self.fill_ids.pop(number, None)

    def save(self) -> dict[str, Any]:
        """Return all orders as JSON values."""
        return {
            "known": [plain(order) for order in self.known.values()],
            "fills": {number: sorted(ids) for number, ids in self.fill_ids.items()},
            "candle_ms": self._candle_ms,
            "given": self._given,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from saved orders."""
        orders: list[Order] = [read(Order, one) for one in saved["known"]]
        self.known, self._open = {}, {}
        for order in orders:
            self._keep(order)
        self.fill_ids = {number: set(ids) for number, ids in saved["fills"].items()}
        self._candle_ms, self._given = saved["candle_ms"], dict(saved["given"])


def asked(trading: Trading, ask: Callable[[], Decision], told: list[Derived]) -> Decision:
    """Return what a strategy decides; nothing, and an alert, where its author's code fails."""
    try:
        return ask()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy is anybody's code
        text = (
            f"the strategy decides nothing on {trading.instrument}: {type(error).__name__}: {error}"
        )
        told.append(Alerted("error", f"strategy:{trading.instrument}", text))
        return NO_DECISION


def without_entry(decision: Decision) -> Decision:
    """Return a decision that enters nothing."""
    return decision._replace(enter=False, enter_short=False)


def in_mode(decision: Decision, mode: Mode) -> Decision:
    """Return what is left of a decision: no entry while reducing, nothing while halted.

    ending: as reducing, and no order is left; leaving: whatever is held is closed
    """
    if mode == "active":
        return decision
    decision = without_entry(decision)
    if mode in ("reducing", "ending"):
        return decision
    leaves = mode == "leaving"
    return decision._replace(exit=leaves, exit_short=leaves)


def reason_of(code: int) -> str:
    """Return why a position is closed, as trades tell it."""
    return EXIT_REASONS[code - 1]


def judged_of(asked: Iterable[Asked], candle_ms: int) -> list[Derived]:
    """Return what the gate said, as events."""
    return [
        Judged(
            one.ask.instrument,
            candle_ms,
            one.verdict.allowed,
            one.verdict.code,
            one.ask.units,
            one.verdict.units,
            dict(one.verdict.saw),
        )
        for one in asked
    ]


def looking(place: Place, gate: Gate, seen_ms: Callable[[int], float]) -> Callable[[int], Market]:
    """Return what shows the gate an instrument's market on the last close that was taken.

    seen_ms: of an instrument (its place in the account), when that candle ended; the series may
        have the next one already
    """

    def look(at: int) -> Market:
        candles, ended_ms = place.traded[at].series.candles(0), seen_ms(at)
        bar = int(np.searchsorted(candles.opened_ms, ended_ms - place.lasting_ms))
        market = market_at(candles, place.run, gate.limits, bar, ended_ms)
        return market._replace(shortable=place.lends.of(place.traded[at].instrument))

    return look


def gate_saved(gate: Gate | None) -> Any:
    """Return the state of a gate as JSON values; None without one."""
    return None if gate is None else gate.state.document()


def gate_restored(gate: Gate | None, saved: Any) -> None:
    """Let a gate go on from a saved state."""
    if gate is not None and saved is not None:
        gate.state = GateState.of(saved)


def is_near(one: float, other: float, scale: float = 0.0) -> bool:
    """Tell whether two numbers are the same but for rounding: within 1e-9 of the greater one."""
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other), abs(scale), 1e-12)
