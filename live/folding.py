"""Read a session's log again: the engine must make of it what it made of it before."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from backtests.strategy import Strategy
from live.engine import Engine
from live.events import Input, decode, encode, kind_of
from live.journal import Loaded
from live.projections import RiskStates, project
from warehouse.trading.log import Rows, StoredEvent


class SessionBroken(Exception):
    """Say that a session cannot go on: what its log says is not what its engine makes of it."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A session as its log has it. seq: the number of its last event."""

    engine: Engine
    risk: RiskStates
    seq: int


def fold(loaded: Loaded, catalogue: Mapping[str, Strategy]) -> Folded:
    """Return a session from its newest snapshot and the events after it. Raises SessionBroken."""
    engine, risk, rows = Engine(catalogue), dict(loaded.risk), Rows()
    if loaded.state is not None:
        engine = Engine.restore(loaded.state, catalogue, loaded.parts)
    expected: deque[str] = deque()
    for stored in loaded.events:
        if not stored.is_input:
            _same(stored, expected.popleft() if expected else "nothing")
            continue
        if expected:
            raise SessionBroken(
                f"the engine decides {expected[0]} before event {stored.seq} of the log, where it "
                f"decided nothing. {_WAY_OUT}"
            )
        for one in engine.apply(cast("Input", decode(stored.kind, stored.document))):
            expected.append(f"{kind_of(one)} {encode(one)}")
            project(rows, stored.seq, one, risk, 0.0)
    if expected:
        raise SessionBroken(f"the engine decides {expected[0]} at the log's end. {_WAY_OUT}")
    return Folded(engine, risk, loaded.events[-1].seq if loaded.events else loaded.seq)


_WAY_OUT = (
    "A strategy or a release that decides otherwise cannot go on with this log: start the session "
    "anew."
)


def _same(stored: StoredEvent, made: str) -> None:
    known = f"{stored.kind} {stored.document}"
    if made != known:
        raise SessionBroken(
            f"event {stored.seq} of the log is {known}, but the engine makes {made} of what came "
            f"before it. {_WAY_OUT}"
        )
