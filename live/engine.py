"""The engine of a session: events in, events out, and nothing else.

`apply` has no clock and no randomness, and does no I/O: whoever reads the log again gets the same
state, bit for bit. Its derived events tell the surrounding process what to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from live.account import Mode
from live.broker_books import BrokerBook
from live.build import Account, accounts_of, session_of
from live.control import Control
from live.events import (
    Adopted,
    Alerted,
    CandleAbsent,
    CandleClosed,
    Commanded,
    Derived,
    Filled,
    HeadlineHeard,
    Input,
    Lent,
    LookedUp,
    MarketStatus,
    OrderAnswered,
    Reconciled,
    Recovered,
    Started,
    StateChanged,
    Ticked,
    Wanted,
)
from live.halting import take_status, trades_again
from live.keeping import Kept, before, new_parts, restore, saved
from live.orders import Order
from live.plain import plain, read
from live.reconcile import Ours
from live.sequence import Key, is_sound, values_of
from live.withheld import last_close_ms, withhold_entries
from mela.session import PaperBroker, Session

STATE_VERSION = 2
GRACE_MS = 5_000  # after a candle's close in which nobody asks where it is
NO_GRACE = 2**62
NAN = float("nan")


class Engine:
    """The state of one session, from its log."""

    def __init__(self, catalogue: Mapping[str, Strategy] = CATALOGUE) -> None:
        self._catalogue = catalogue
        self._accounts: list[Account] = []
        self._started: Started | None = None
        self._control = Control()
        self._handlers: dict[type[Any], Callable[[Any], list[Derived]]] = {
            Started: self._start,
            CandleClosed: self._take_candle,
            CandleAbsent: self._take_absence,
            Ticked: self._tick,
            Commanded: self._command,
            HeadlineHeard: self._hear,
            OrderAnswered: self._answer,
            LookedUp: self._look_up,
            Filled: self._fill,
            Recovered: self._recover,
            Adopted: self._adopt,
            Reconciled: self._reconcile,
            Lent: self._lend,
            MarketStatus: self._take_status,
        }

    def apply(self, event: Input) -> list[Derived]:
        """Take one input event, and return what follows from it, in order.

        Raises ValueError where the first event is not Started, or a later one is.
        """
        if (self._started is None) != isinstance(event, Started):
            raise ValueError(
                f"a log begins with Started, and has it once, but found {type(event).__name__}: "
                "read the log of one session, from its first event on"
            )
        told = self._handlers[type(event)](event)
        return [*told, *self._control.settle(self._books)] if self._control.waits else told

    @property
    def session(self) -> Session:
        """Return the session's document."""
        return self._session

    @property
    def accounts(self) -> list[Account]:
        """Return its accounts, one for each instrument or one for all."""
        return self._accounts

    def next_open_ms(self) -> dict[Key, int]:
        """Return the opening of the next candle that each series waits for."""
        found: dict[Key, int] = {}
        for account in self._accounts:
            for key, line in account.sequencer.lines.items():
                found[key] = min(line.due_ms, found.get(key, line.due_ms))
        return found

    def ours(self) -> Ours:
        """Return what the session has, to be compared with what its broker says."""
        orders: dict[str, Order] = {}
        fills: dict[str, frozenset[str]] = {}
        positions: dict[str, float] = {}
        cash = 0.0
        for account in self._accounts:
            book = account.book
            orders |= book.orders.known
            fills |= {number: frozenset(ids) for number, ids in book.orders.fill_ids.items()}
            if isinstance(book, BrokerBook):
                positions[account.run.instrument] = book.account.position
                cash += book.account.cash
        return Ours(self._session.instruments, orders, fills, positions, cash)

    def _start(self, event: Started) -> list[Derived]:
        accounts = accounts_of(event, catalogue=self._catalogue)
        self._begin(event, accounts)
        told: list[Derived] = [StateChanged("session", -1, "running", "started")]
        for number, account in enumerate(accounts):
            told += self._checked(number, account, account.book.begin(), event.at_ms)
        return told

    def _begin(self, event: Started, accounts: list[Account]) -> None:
        self._started = replace(event, history=())
        self._session = session_of(event)
        self._accounts = accounts

    def _take_candle(self, event: CandleClosed) -> list[Derived]:
        key = event.instrument, event.interval
        if not is_sound(event):
            text = f"{key[0]} {key[1]}: a candle that cannot be: {values_of(event)}"
            return [Alerted("error", f"candle:{key[0]}", text)]
        told: list[Derived] = []
        for number, account in enumerate(self._accounts):
            line = account.sequencer.lines.get(key)
            if line is None:
                continue
            taken = line.take(event)
            if taken == "late":
                told += self._late(account, key, event)
            elif taken == "restated":
                told.append(_restated(key, event, "before it was decided on"))
            elif taken == "new":
                told += self._advance(number, account, event.received_ms)
        return told

    def _late(self, account: Account, key: Key, event: CandleClosed) -> list[Derived]:
        """Say what a candle that came after its step means: nothing where it was known."""
        series = account.own[key] if key in account.own else account.read[key]
        known = series.at(event.opened_ms)
        if known is not None:
            same = known == values_of(event)
            return [] if same else [_restated(key, event, "after it was decided on")]
        if self._started is None or event.opened_ms < self._started.first_open_ms:
            return []
        text = f"{key[0]} {key[1]}: the candle of {event.opened_ms} came after its step was taken"
        return [Alerted("warning", f"late:{key[0]}", text)]

    def _take_absence(self, event: CandleAbsent) -> list[Derived]:
        told: list[Derived] = []
        for number, account in enumerate(self._accounts):
            lines = account.sequencer.lines
            keys = [(name, event.interval) for name in event.instruments]
            for key in keys:
                if key in lines:
                    lines[key].leave(event.opened_ms, event.at_ms)
            if any(key in lines for key in keys):
                told += self._advance(number, account, event.at_ms)
        return told

    def _advance(self, number: int, account: Account, at_ms: int) -> list[Derived]:
        """Take every step that is ready; ask for what is missing behind a candle that came."""
        told: list[Derived] = []
        while (taken := account.sequencer.step()) is not None:
            for key, candles in taken.read.items():
                for candle in candles:
                    account.read[key].append(candle)
            for candle in taken.candles:
                if candle is not None:
                    account.own[candle.instrument, candle.interval].append(candle)
            if self._control.has_stopped:
                continue
            mode = self._control.mode(account.run.instruments, taken.at_ms)
            told += trades_again(account, taken, account.run.interval)
            told += self._checked(number, account, account.book.step(taken, mode), at_ms)
        return told + self._wanted(account, at_ms, NO_GRACE)

    def _checked(
        self, number: int, account: Account, told: list[Derived], at_ms: int
    ) -> list[Derived]:
        """Return what an account told, and what is wrong with it: then the whole session halts."""
        told = [*told, *self._control.gate_told(number, account.book)]
        faults = account.audit.faults(account.book, told)
        if faults:
            run = account.run.instrument
            text = f"the account of {run} does not add up: {'; '.join(faults)}"
            told += [Alerted("critical", f"invariant:{number}", text)]
            told += self._halt(text, at_ms)
        return told

    @property
    def _books(self) -> list[Any]:
        return [account.book for account in self._accounts]

    @staticmethod
    def _wanted(account: Account, at_ms: int, grace_ms: int) -> list[Wanted]:
        return account.sequencer.wanted(at_ms, grace_ms)

    def _tick(self, event: Ticked) -> list[Derived]:
        told: list[Derived] = []
        for account in self._accounts:
            told += self._wanted(account, event.at_ms, GRACE_MS)
        return told

    def _command(self, event: Commanded) -> list[Derived]:
        told = self._control.command(event, self._books)
        for number, account in enumerate(self._accounts):
            mode = self._control.mode(account.run.instruments, event.at_ms)
            commanded = account.book.command(mode, event.at_ms)
            told += self._checked(number, account, commanded, event.at_ms)
        return told

    def _hear(self, event: HeadlineHeard) -> list[Derived]:
        """Take a headline: where it halts entries from now on, those that rest are cancelled."""
        at_ms = [max(event.received_ms, last_close_ms(account)) for account in self._accounts]
        before = self._modes(at_ms)
        told = self._control.hear(event, self._session.news)
        is_paper = isinstance(self._session.broker, PaperBroker)
        for number, account in enumerate(self._accounts):
            if (before[number], self._modes(at_ms)[number]) == ("active", "reducing"):
                gone = withhold_entries(account, at_ms[number], is_paper=is_paper)
                told += self._checked(number, account, gone, at_ms[number])
        return told

    def _modes(self, at_ms: list[int]) -> list[Mode]:
        return [
            self._control.mode(account.run.instruments, at)
            for account, at in zip(self._accounts, at_ms, strict=True)
        ]

    def _answer(self, event: OrderAnswered) -> list[Derived]:
        number, at_ms = event.client_order_id, event.at_ms
        words = event.state, at_ms, event.why, event.broker_order_id
        return self._of_order(number, lambda book: book.answered(number, *words), at_ms) or []

    def _look_up(self, event: LookedUp) -> list[Derived]:
        number, at_ms = event.client_order_id, event.at_ms
        if not event.is_found:
            return self._of_order(number, lambda book: book.not_found(number, at_ms), at_ms) or []
        words = event.state, at_ms, event.why, event.broker_order_id
        return self._of_order(number, lambda book: book.answered(number, *words), at_ms) or []

    def _fill(self, event: Filled) -> list[Derived]:
        told = self._of_order(event.client_order_id, lambda book: book.filled(event), event.at_ms)
        if told is not None:
            return told
        text = (
            f"{event.units:g} {event.instrument} were filled at {event.price:g} for the order "
            f"{event.client_order_id or '(no id)'}, which this session never gave"
        )
        alert = Alerted("critical", f"unknown_fill:{event.instrument}", text)
        return [alert, *self._halt(text, event.at_ms)]

    def _of_order(
        self,
        number: str,
        ask: Callable[[BrokerBook], list[Derived]],
        at_ms: int,
    ) -> list[Derived] | None:
        """Ask the book that has an order; None where none has."""
        for at, account in enumerate(self._accounts):
            book = account.book
            if isinstance(book, BrokerBook) and number in book.orders.known:
                return self._checked(at, account, ask(book), at_ms)
        return None

    def _recover(self, event: Recovered) -> list[Derived]:
        told: list[Derived] = []
        for account in self._accounts:
            if isinstance(account.book, BrokerBook):
                told += account.book.recovered(event.at_ms)
        return told

    def _adopt(self, event: Adopted) -> list[Derived]:
        for number, account in enumerate(self._accounts):
            book = account.book
            if isinstance(book, BrokerBook) and event.instrument in account.run.instruments:
                told = book.adopted(event.units, event.average_price, event.cash, event.at_ms)
                text = f"{event.instrument}: what the broker has counts: {event.why}"
                alert = Alerted("warning", f"adopted:{event.instrument}", text)
                return self._checked(number, account, [alert, *told], event.at_ms)
        return []

    def _reconcile(self, event: Reconciled) -> list[Derived]:
        """Halt where the broker has what no rule explains; a session that starts so is over."""
        wrong = [one for one in event.differences if one.rule == "stop"]
        if not wrong:
            return []
        text = "; ".join(f"{one.kind} {one.instrument or one.name}: {one.why}" for one in wrong)
        told: list[Derived] = [Alerted("critical", "reconciliation", text)]
        if event.at_start:
            return [*told, *self._control.end(f"it does not start: {text}")]
        return [*told, *self._halt(text, event.at_ms)]

    def _take_status(self, event: MarketStatus) -> list[Derived]:
        told: list[Derived] = []
        is_paper = isinstance(self._session.broker, PaperBroker)
        for number, account in enumerate(self._accounts):
            said = take_status(account, event, is_paper=is_paper)
            told += self._checked(number, account, said, event.at_ms)
        return told

    def _lend(self, event: Lent) -> list[Derived]:
        """Know from now on what may be sold short."""
        said = dict(zip(event.instruments, event.units, strict=True))
        for account in self._accounts:
            account.lends.units = {name: said.get(name, NAN) for name in account.run.instruments}
        return []

    def _halt(self, why: str, at_ms: int) -> list[Derived]:
        told = self._control.halt(self._books, why)
        for account in self._accounts:
            told += account.book.command("halted", at_ms)
        return told

    def snapshot(self) -> bytes:
        """Return the whole state as bytes, for `restore`. Raises ValueError before it begins."""
        return _packed(self._state(in_parts=False))

    def keep(self) -> Kept:
        """Return the state, and the parts of it that were not returned before.

        Raises ValueError before the session begins.
        """
        parts: dict[str, bytes] = {}
        for number, account in enumerate(self._accounts):
            parts |= new_parts(number, account)
        return Kept(_packed(self._state(in_parts=True)), parts)

    def _state(self, *, in_parts: bool) -> dict[str, Any]:
        if self._started is None:
            raise ValueError("a session that has not begun has no state to keep")
        return {
            "version": STATE_VERSION,
            "started": plain(self._started),
            "control": self._control.save(),
            "accounts": [saved(account, in_parts=in_parts) for account in self._accounts],
        }

    @classmethod
    def restore(
        cls,
        state: bytes,
        catalogue: Mapping[str, Strategy] = CATALOGUE,
        parts: Mapping[str, bytes] | None = None,
    ) -> Engine:
        """Return the engine that a state was taken of; parts: those of `keep`, of all times.

        Raises ValueError for a state of another release, whose log must be read from its start.
        """
        document, parts = json.loads(state), parts or {}
        if document["version"] != STATE_VERSION:
            raise ValueError(
                f"a state of version {STATE_VERSION} can be restored, but this one is of "
                f"{document['version']}: read the log from its start"
            )
        engine = cls(catalogue)
        started = cast("Started", read(Started, document["started"]))
        known = [before(number, kept, parts) for number, kept in enumerate(document["accounts"])]
        engine._begin(started, accounts_of(started, known, catalogue))
        engine._control.restore(document["control"])
        for number, kept in enumerate(document["accounts"]):
            restore(number, engine._accounts[number], kept, parts)
        return engine

    def digest(self) -> str:
        """Return a hash of the whole state: equal for equal states."""
        return hashlib.sha256(self.snapshot()).hexdigest()


def _restated(key: Key, event: CandleClosed, when: str) -> Alerted:
    text = f"{key[0]} {key[1]}: the candle of {event.opened_ms} was restated {when}"
    return Alerted("info", f"restated:{key[0]}", text)


def _packed(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
