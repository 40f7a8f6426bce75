"""The state of the gate between orders, and how its mode changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from mela.interval import DAY_MS
from mela.risk_limits import RiskLimits

MINUTE_MS = 60_000
Command = Literal["pause", "resume", "halt", "release"]
_ENDED_BY_RELEASE = ("halted", "max_drawdown", "max_losses_in_a_row")


class Mode(StrEnum):
    """The orders that may pass: all within limits, only reducing ones, or the kill switch's."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class GateState:
    """The memory of a gate. Frozen: each event returns the state after it.

    causes: code → the instant (UTC milliseconds) after which it has ended by itself; infinity for
        one that a person ends. `halted` makes the mode HALTED, any other one REDUCING
    equity: as valued last, NaN where that was not a number; known: the last one that was
    day: the UTC day of the last close; day_equity: what it began with
    peak: the highest equity since the start, or since a drawdown ended
    losses: losing trades in a row, counted anew once they have refused
    ordered_ms: when orders passed within the last minute; left_ms: instrument → its last exit
    """

    causes: Mapping[str, float] = field(default_factory=dict[str, float])
    equity: float = math.nan
    known: float = math.nan
    day: int = -1
    day_equity: float = math.nan
    peak: float = math.nan
    losses: int = 0
    ordered_ms: tuple[float, ...] = ()
    left_ms: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def begin(cls, equity: float) -> GateState:
        """Return the state of a session or run that starts with this equity."""
        return cls(equity=equity, known=equity, day_equity=equity, peak=equity)

    @property
    def mode(self) -> Mode:
        """Return what may pass now."""
        if not self.causes:
            return Mode.ACTIVE
        return Mode.HALTED if "halted" in self.causes else Mode.REDUCING

    @property
    def cause(self) -> str:
        """Return the cause of the mode that came first, `halted` before all; empty while ACTIVE."""
        return "halted" if "halted" in self.causes else next(iter(self.causes), "")

    def at(self, at_ms: float) -> GateState:
        """Return the state at an instant: a new day begins, and causes that ended before are gone.

        An instant that is not a number, or before the day that is known, changes nothing.
        """
        state = self
        if not math.isfinite(at_ms):
            return state
        ended = [code for code, until_ms in state.causes.items() if until_ms < at_ms]
        if ended:
            left = {code: until for code, until in state.causes.items() if code not in ended}
            peak = state.known if "max_drawdown" in ended else state.peak
            state = replace(state, causes=left, peak=peak)
        day = int((at_ms - 1.0) // DAY_MS)  # a candle that ends at midnight is of the day before
        if day > state.day:
            state = replace(state, day=day, day_equity=state.known)
        return state

    def valued(self, limits: RiskLimits, equity: float, at_ms: float) -> GateState:
        """Take the equity on a close, and remember that a day or a drawdown lost too much.

        equity: what is not finite makes it unknown, so that the limits of losses refuse
        """
        state = self.at(at_ms)
        if not math.isfinite(equity):
            return replace(state, equity=math.nan)
        start = state.day_equity if math.isfinite(state.day_equity) else equity
        peak = max(state.peak, equity) if math.isfinite(state.peak) else equity
        causes = dict(state.causes)
        loss, fall = limits.max_daily_loss, limits.max_drawdown
        if loss is not None and equity <= start * (1.0 - loss):
            causes["max_daily_loss"] = (state.day + 1.0) * DAY_MS
        if fall is not None and equity <= peak * (1.0 - fall) and "max_drawdown" not in causes:
            pause_s = limits.drawdown_pause_s
            causes["max_drawdown"] = math.inf if pause_s is None else at_ms + pause_s * 1000.0
        return replace(
            state, causes=causes, equity=equity, known=equity, day_equity=start, peak=peak
        )

    def traded(self, limits: RiskLimits, instrument: str, profit: float, at_ms: float) -> GateState:
        """Take a closed trade: losses in a row, and when its instrument was left.

        profit: after costs; one that is not a number counts as a loss, and 0 as neither
        """
        losses = 0 if profit > 0.0 else self.losses if profit == 0.0 else self.losses + 1
        causes, most = dict(self.causes), limits.max_losses_in_a_row
        if most is not None and losses >= most:
            causes["max_losses_in_a_row"] = at_ms + limits.losses_pause_s * 1000.0
            losses = 0
        left_ms = {**self.left_ms, instrument: at_ms}
        return replace(self, causes=causes, losses=losses, left_ms=left_ms)

    def ordered(self, at_ms: float) -> GateState:
        """Take an order that passed."""
        recent = tuple(ms for ms in self.ordered_ms if ms > at_ms - MINUTE_MS)
        return replace(self, ordered_ms=(*recent, at_ms))

    def commanded(self, command: Command) -> GateState:
        """Take what a person ordered: pause and resume, halt and release.

        pause: only what reduces passes until `resume`; halt: nothing passes until `release`, which
        also ends a drawdown and losses in a row and measures them anew. `resume` ends no halt, and
        neither of them a daily loss.
        """
        causes = dict(self.causes)
        if command == "pause":
            causes["paused"] = math.inf
        elif command == "halt":
            causes["halted"] = math.inf
        elif command == "resume":
            causes.pop("paused", None)
        else:
            for code in _ENDED_BY_RELEASE:
                causes.pop(code, None)
            return replace(self, causes=causes, losses=0, peak=self.known)
        return replace(self, causes=causes)

    def document(self) -> dict[str, Any]:
        """Return the state as JSON values: its instants and money as text, so no bit is lost."""
        return {
            "causes": {code: repr(until) for code, until in self.causes.items()},
            **{name: repr(getattr(self, name)) for name in _MONEY},
            "day": self.day,
            "losses": self.losses,
            "ordered_ms": [repr(ms) for ms in self.ordered_ms],
            "left_ms": {name: repr(ms) for name, ms in self.left_ms.items()},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> GateState:
        """Return the state that a document spells. Raises KeyError or ValueError for another."""
        return cls(
            causes={code: float(until) for code, until in document["causes"].items()},
            **{name: float(document[name]) for name in _MONEY},
            day=int(document["day"]),
            losses=int(document["losses"]),
            ordered_ms=tuple(float(ms) for ms in document["ordered_ms"]),
            left_ms={name: float(ms) for name, ms in document["left_ms"].items()},
        )


_MONEY = ("equity", "known", "day_equity", "peak")
