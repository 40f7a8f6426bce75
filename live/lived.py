"""Read from its log what a session did until an instant, and on which candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import numpy as np

from backtests.strategy import Strategy
from live.build import Account
from live.drift_compare import Curves, RoundTrip
from live.engine import Engine
from live.events import CandleClosed, Derived, Input, Started, Traded, Valued, decode
from live.journal import Journal
from mela.candles import Candles
from mela.grid import plan_runs
from mela.instants import from_ms
from mela.run import Run
from mela.session import Session
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.trading import drift as store

KINDS = ("Traded", "Valued", "Judged", "OrderChanged", "StateChanged")
Catalogue = Mapping[str, Strategy]
Series = Mapping[str, Candles]


@dataclass(frozen=True, slots=True)
class Lived:
    """The activity of a session until an instant, from its log.

    runs: the backtest of each of its accounts; series: the candles on which each decided
    late: of each instrument, the openings that came after their step was taken
    """

    session: Session
    since_ms: int
    end_ms: int
    runs: list[Run]
    series: list[Series]
    late: Mapping[str, frozenset[int]]
    events: list[Derived]

    def trades(self) -> list[RoundTrip]:
        """Return the trades that were over by the end."""
        traded = (one for one in self.events if isinstance(one, Traded))
        return [_round_trip(one) for one in traded if one.exit_ms < self.end_ms]

    def curves(self) -> Curves:
        """Return openings and equity of each account, by its name."""
        found: dict[str, list[tuple[int, float]]] = {name: [] for name in self.names()}
        names = self.names()
        for one in self.events:
            if isinstance(one, Valued) and one.opened_ms < self.end_ms:
                found[names[one.account]].append((one.opened_ms, one.equity))
        return {
            name: (np.array([at for at, _ in rows], np.int64), np.array([v for _, v in rows]))
            for name, rows in found.items()
        }

    def names(self) -> list[str]:
        """Return the name of each account: its instrument, or its first one and how many more."""
        return [
            run.instrument + (f" + {len(run.instruments) - 1}" if len(run.instruments) > 1 else "")
            for run in self.runs
        ]


def read_lived(
    settings: Settings, session_id: UUID, catalogue: Catalogue, end_ms: int | None = None
) -> Lived | None:
    """Return what a session did; None while it has not seen a candle. Raises NotFound."""
    # What it did is read before its candles: a session that goes on meanwhile then has candles that
    # the end below leaves out, and not trades on candles that nobody gives the backtest.
    with transaction(settings) as connection:
        stored = store.events_of(connection, session_id, KINDS)
        events = [cast("Derived", decode(*one)) for one in stored]
        first = list(store.events_of(connection, session_id, ["Started"]))
    engine, late = _restored(settings, session_id, catalogue)
    if not first or engine is None:
        return None
    started = cast("Started", decode(*first[0]))
    session = engine.session
    interval = session.interval
    closes = [
        interval.end_ms(one.opened_ms)
        for one in events
        if isinstance(one, Valued) and (end_ms is None or interval.end_ms(one.opened_ms) <= end_ms)
    ]
    if not closes:
        return None
    start, end = from_ms(started.first_open_ms), from_ms(max(closes))
    plan = plan_runs(session.scene(start, end), catalogue, max_runs=len(session.instruments))
    series = [_series(account, started.first_open_ms) for account in engine.accounts]
    until = max(closes)
    return Lived(session, started.first_open_ms, until, list(plan.expand()), series, late, events)


def _restored(
    settings: Settings, session_id: UUID, catalogue: Catalogue
) -> tuple[Engine | None, dict[str, frozenset[int]]]:
    """Return a session's engine as its log leaves it, and which candles it did without."""
    journal = Journal(settings)
    loaded = journal.load(session_id)
    engine = Engine(catalogue)
    if loaded.state is not None:
        engine = Engine.restore(loaded.state, catalogue, loaded.parts)
    begun = loaded.state is not None
    for one in loaded.events:
        if one.is_input:
            engine.apply(cast("Input", decode(one.kind, one.document)))
            begun = True
    if not begun:
        return None, {}
    heard: dict[str, set[int]] = {}
    with transaction(settings) as connection:
        for kind, document in store.events_of(connection, session_id, ["CandleClosed"]):
            candle = cast("CandleClosed", decode(kind, document))
            if candle.interval == engine.session.interval:
                heard.setdefault(candle.instrument, set()).add(candle.opened_ms)
    taken = {
        key[0]: {int(one) for one in series.candles(0).opened_ms}
        for account in engine.accounts
        for key, series in account.own.items()
    }
    return engine, {name: frozenset(at - taken.get(name, set())) for name, at in heard.items()}


def _series(one: Account, since_ms: int) -> Series:
    inputs = {key: series.candles(0) for key, series in one.read.items()}
    found: dict[str, Candles] = {}
    for key, series in one.own.items():
        start_bar = int(np.searchsorted(series.candles(0).opened_ms, since_ms))
        found[key[0]] = series.candles(start_bar, inputs)
    return found


def _round_trip(event: Traded) -> RoundTrip:
    return RoundTrip(
        event.instrument,
        event.entry_ms,
        event.exit_ms,
        event.size,
        event.entry_price,
        event.exit_price,
        event.fees,
        event.profit,
        event.exit_reason,
    )
