"""Build a session's accounts from the event that starts it, or from what a snapshot kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from backtests.candles.prepared import lasting_ms
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from live.account import Book, Halts, Lends, Place, Trading
from live.books import PlainBook
from live.broker_books import BrokerBook
from live.decisions import Decider, Series, unpacked
from live.events import Facts, History, Started
from live.invariants import Audit
from live.peers import Peers
from live.sequence import Key, Line, Sequencer, clock_of
from live.shared_books import SharedBook
from mela.candle_clock import FOREVER_MS
from mela.candles import Candles
from mela.grid import plan_runs
from mela.inference import infer
from mela.instants import from_ms
from mela.interval import Interval
from mela.risk_limits import SessionHours
from mela.run import Run
from mela.session import PaperBroker, Session

AHEAD = timedelta(days=365 * 100)  # no session lasts longer
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(slots=True)
class Account:
    """One account of a session: its candles, in order, and the book that takes them.

    own: of each instrument that it trades; read: of the inputs of its strategy
    lends: what its broker lends; halts: which of its instruments do not trade
    """

    run: Run
    own: dict[Key, Series]
    read: dict[Key, Series]
    sequencer: Sequencer
    book: Book
    audit: Audit
    lends: Lends
    halts: Halts


def runs_of(session: Session, first_open_ms: int, catalogue: Mapping[str, Strategy]) -> list[Run]:
    """Return the runs that a session is: one for each account, as its scene has them.

    Raises SceneInvalid, as planning the scene does.
    """
    start = from_ms(first_open_ms)
    scene = session.scene(start, start + AHEAD)
    return list(plan_runs(scene, catalogue, max_runs=len(session.instruments)).expand())


def accounts_of(
    started: Started,
    kept: Sequence[Mapping[str, bytes]] | None = None,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> list[Account]:
    """Return the accounts of a session before its first candle.

    kept: the candles of each account's series that were known at the start, from a snapshot; None
        takes those of the event
    """
    session = session_of(started)
    facts = {one.instrument: one for one in started.facts}
    history = {(one.instrument, one.interval): one for one in started.history}
    found, peers = list[Account](), Peers()
    for number, run in enumerate(runs_of(session, started.first_open_ms, catalogue)):
        known = None if kept is None else kept[number]
        before = _Before(started, facts, history, known, session.hours)
        found.append(_account(number, run, session, before, catalogue, peers))
    return found


def session_of(started: Started) -> Session:
    """Return the session of a log, with what an earlier release did where it says nothing.

    One that began before stops could rest has none that does, and one that began before limits
    were judged over all its instruments has each judged by itself.
    """
    document = dict(started.document)
    broker = document.get("broker") or {}
    if broker.get("kind") == "alpaca":
        document["broker"] = {"stops": "close", "limits": "each", **broker}
    return Session.model_validate(document)


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known before the first candle."""

    started: Started
    facts: Mapping[str, Facts]
    history: Mapping[Key, History]
    kept: Mapping[str, bytes] | None
    hours: SessionHours

    def candles(self, key: Key, role: str, warmup: int | None) -> Candles:
        """Return the candles of a series before the start; at most so many, None for all."""
        fact = self.facts[key[0]]
        about = replace(
            infer(key[0]),
            kind=fact.kind,
            quote=fact.quote,
            calendar=fact.calendar,
            tick=fact.tick,
            lot=fact.lot,
            multiplier=fact.multiplier,
        )
        opened, columns = self._columns(key, role)
        first = int(np.searchsorted(opened, self.started.first_open_ms))
        part = slice(0 if warmup is None else max(first - warmup, 0), first)
        open_, high, low, close, volume = (column[part] for column in columns)
        return Candles(
            key[1],
            opened[part],
            open_,
            high,
            low,
            close,
            volume,
            calendar=fact.calendar,
            tick=fact.tick,
            lot=fact.lot,
            multiplier=fact.multiplier,
            about=about,
        )

    def _columns(self, key: Key, role: str) -> tuple[np.ndarray, list[np.ndarray]]:
        if self.kept is not None:
            opened, values = unpacked(self.kept[f"{role} {key[0]} {key[1]}"])
            return opened, list(values)
        one = self.history.get(key)
        if one is None:
            return np.empty(0, np.int64), [np.empty(0)] * len(COLUMNS)
        opened = np.array(one.opened_ms, np.int64)
        return opened, [np.array(getattr(one, name), np.float64) for name in COLUMNS]


def _account(
    number: int,
    run: Run,
    session: Session,
    before: _Before,
    catalogue: Mapping[str, Strategy],
    peers: Peers,
) -> Account:
    strategy = catalogue[run.strategy]
    own_keys: list[Key] = [(name, run.interval) for name in run.instruments]
    read_keys: list[Key] = [(one.instrument, one.interval) for one in run.input_series]
    own = {key: Series(before.candles(key, "own", run.warmup)) for key in own_keys}
    read = {key: Series(before.candles(key, "read", None)) for key in read_keys}
    lines = {key: _line(key, before, own.get(key, read.get(key))) for key in {**own, **read}}
    traded = tuple(
        Trading(
            name,
            own[name, run.interval],
            Decider(run, name, strategy, own[name, run.interval], read),
            before.facts[name].multiplier or 1.0,
            before.facts[name].calendar,
            before.facts[name].lot,
            before.facts[name].tick,
        )
        for name in run.instruments
    )
    start_ms = before.started.first_open_ms
    lends = Lends(is_stated=not isinstance(session.broker, PaperBroker))
    of, lasting, halts = before.started.session_id, lasting_ms(run.interval), Halts()
    place = Place(of, number, run, traded, lasting, start_ms, lends, halts)
    sequencer = Sequencer(own_keys, read_keys, lines)
    audit = Audit(run.instruments, is_new=before.kept is None)
    return Account(run, own, read, sequencer, _book(place, session, peers), audit, lends, halts)


def _book(place: Place, session: Session, peers: Peers) -> Book:
    if place.run.portfolio is not None:
        return SharedBook(place)
    if session.fills_plainly:
        return PlainBook(place)
    if isinstance(session.broker, PaperBroker):
        return BrokerBook(place, session.broker)
    together = session.broker.limits == "together"
    return BrokerBook(place, None, session.broker, peers if together else None)


def _line(key: Key, before: _Before, series: Series | None) -> Line:
    assert series is not None  # noqa: S101  each line is of one of them
    fact, first = before.facts[key[0]], before.started.first_open_ms
    known = series.candles(0).opened_ms
    clock = clock_of(fact.calendar, key[1], known, before.hours)
    # of a longer interval, a candle that opened before the start may close after it; one that had
    # closed by then and is not there is missing for good
    last = int(known[-1]) if len(known) else first - 1
    since = first - 1 if key[1] == _shortest(before) else min(last, first - 1)
    due = clock.next_after(since)
    while due < FOREVER_MS and clock.closes_ms(due) <= first:
        due = clock.next_after(due)
    return Line(key, clock, due, since)


def _shortest(before: _Before) -> Interval:
    return Interval(before.started.document["interval"])
