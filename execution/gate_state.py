"""What the gate remembers from one order to the next, and how its mode changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from collections.abc import Mapping
from typing import Any, Literal

from mela.interval import DAY_MS
from mela.risk_limits import RiskLimits

MINUTE_MS = 60_000
Order = Literal["pause", "resume", "halt", "release"]


class Mode(StrEnum):
    """What may pass: all that limits allow; only what reduces; only what the kill switch asks."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class GateState:
    """The memory of a gate. Frozen: each event returns the state after it.

    causes: code → the instant (UTC milliseconds) at which it ends by itself, infinity for one that
        a person ends. `halted` makes the mode HALTED, any other one REDUCING
    equity: as valued last, NaN where it was not a number; day_equity: that the UTC day began with
    peak: the highest equity since the start, or since a drawdown was released
    losses: losing trades in a row
    ordered_ms: when orders passed within the last minute; left_ms: instrument → its last exit
    """

    causes: Mapping[str, float] = field(default_factory=dict[str, float])
    equity: float = math.nan
    day: int = -1
    day_equity: float = math.nan
    peak: float = math.nan
    losses: int = 0
    ordered_ms: tuple[float, ...] = ()
    left_ms: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def begin(cls, equity: float) -> GateState:
        """Return the state of a session or run that starts with this equity."""
        return cls(equity=equity, day_equity=equity, peak=equity)

    @property
    def mode(self) -> Mode:
        """Return what may pass now."""
        if not self.causes:
            return Mode.ACTIVE
        return Mode.HALTED if "halted" in self.causes else Mode.REDUCING

    def at(self, at_ms: float) -> GateState:
        """Return the state once the causes that end by then are gone."""
        raise NotImplementedError

    def valued(self, limits: RiskLimits, equity: float, at_ms: float) -> GateState:
        """Take the equity on a close; begin a new day, and latch what it lost too much."""
        raise NotImplementedError

    def traded(
        self, limits: RiskLimits, instrument: str, profit: float, at_ms: float
    ) -> GateState:
        """Take a closed trade: losses in a row, and the cooldown of its instrument."""
        raise NotImplementedError

    def ordered(self, at_ms: float) -> GateState:
        """Take an order that passed."""
        raise NotImplementedError

    def commanded(self, order: Order, at_ms: float) -> GateState:
        """Take what a person ordered: pause and resume, halt and release.

        pause: only what reduces passes until `resume`; halt: nothing passes until `release`, which
        also ends a drawdown and losses in a row and measures them anew. `resume` releases no halt.
        """
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """Return the state as JSON values; numbers as text, so that each bit comes back."""
        raise NotImplementedError

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> GateState:
        """Return the state that a document spells."""
        raise NotImplementedError
