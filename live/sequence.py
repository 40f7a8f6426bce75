"""Candles in order: whatever order, however often and however late they come.

One sequencer has the series of one account: those that it trades and those that its strategy reads
besides. A step is a time at which some traded instrument has a candle. It is taken once nothing
that a calendar expects up to then is open any more: each such candle has come, or has been said to
be absent. So the same messages give the same steps in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backtests.candles.coverage import grid_of
from live.events import CandleClosed, Wanted
from live.plain import plain, read
from mela.candle_clock import FOREVER_MS, CandleClock
from mela.interval import Interval
from mela.risk_limits import SessionHours

Key = tuple[str, Interval]
Taken = Literal["new", "again", "restated", "late"]
ASKED_AGAIN_MS = 30_000


def clock_of(
    calendar: str, interval: Interval, opened_ms: np.ndarray, hours: SessionHours = "regular"
) -> CandleClock:
    """Return the clock of a series by its calendar and by the grid on which its candles stand."""
    offset = None
    step = interval.fixed_ms
    if len(opened_ms) and interval.is_intraday and step is not None:
        first = int(opened_ms[0])
        probe = np.array([first + step // 2], np.int64)
        if int(grid_of(opened_ms, interval)(probe)[0]) == first:
            offset = first % step
    return CandleClock(calendar, interval, offset, hours)


@dataclass(slots=True)
class Line:
    """One series, and what has come of it.

    due_ms: the first expected opening that has neither come nor been said to be absent
    waiting, absent: what has come and what is absent, not taken yet; settled_ms: of each absence
    asked_ms: when the candle that is due was asked for; 0 for never
    """

    key: Key
    clock: CandleClock
    due_ms: int
    taken_ms: int
    waiting: dict[int, CandleClosed] = field(default_factory=dict[int, CandleClosed])
    absent: dict[int, int] = field(default_factory=dict[int, int])
    asked_ms: int = 0

    def settle(self) -> None:
        """Move on to the next opening that is due."""
        before = self.due_ms
        while self.due_ms in self.waiting or self.due_ms in self.absent:
            self.due_ms = self.clock.next_after(self.due_ms)
        if self.due_ms != before:
            self.asked_ms = 0

    def take(self, candle: CandleClosed) -> Taken:
        """Keep a candle; say whether it is new. An event that was already taken is `late`."""
        at = candle.opened_ms
        if at <= self.taken_ms:
            return "late"
        known = self.waiting.get(at)
        if known is not None:
            self.waiting[at] = _chosen(known, candle)
            return "again" if _same(known, candle) else "restated"
        self.absent.pop(at, None)
        self.waiting[at] = candle
        self.settle()
        return "new"

    def leave(self, opened_ms: int, at_ms: int) -> None:
        """Hear that no candle opened then; one that came all the same counts."""
        if opened_ms > self.taken_ms and opened_ms not in self.waiting:
            known = self.absent.get(opened_ms, at_ms)
            self.absent[opened_ms] = min(known, at_ms)
            self.settle()

    def taken(self, opened_ms: int) -> CandleClosed | None:
        """Return the candle of a step and forget all up to it; None where there is none."""
        self.taken_ms = max(self.taken_ms, opened_ms)
        for absent in [one for one in self.absent if one <= opened_ms]:
            del self.absent[absent]
        return self.waiting.pop(opened_ms, None)

    def wanted(self, until_ms: int, at_ms: int) -> Wanted | None:
        """Return what to ask for where the candle that is due opened before an instant."""
        if self.due_ms >= until_ms or at_ms < self.asked_ms + ASKED_AGAIN_MS:
            return None
        self.asked_ms = at_ms
        return Wanted(*self.key, self.due_ms, until_ms)

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        waiting = [plain(self.waiting[at]) for at in sorted(self.waiting)]
        return {
            "due": self.due_ms,
            "taken": self.taken_ms,
            "waiting": waiting,
            "absent": sorted(self.absent.items()),
            "asked": self.asked_ms,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.due_ms, self.taken_ms, self.asked_ms = saved["due"], saved["taken"], saved["asked"]
        candles = [read(CandleClosed, one) for one in saved["waiting"]]
        self.waiting = {one.opened_ms: one for one in candles}
        self.absent = dict(map(tuple, saved["absent"]))


@dataclass(frozen=True, slots=True)
class Step:
    """The input of one step.

    candles: of each traded instrument, in order; None for one without
    read: candles of further series that have closed by then, oldest first, by series
    at_ms: when the last message came without which it could not have been taken
    """

    opened_ms: int
    candles: tuple[CandleClosed | None, ...]
    read: dict[Key, list[CandleClosed]]
    at_ms: int


class Sequencer:
    """The series of one account.

    traded: in the order of the account; read: those of its inputs, which may be traded too
    lines: of each series
    """

    def __init__(self, traded: list[Key], read: list[Key], lines: dict[Key, Line]) -> None:
        self._traded = [lines[key] for key in traded]
        self._read = [lines[key] for key in read if key not in traded]
        self._both = [key for key in read if key in traded]
        self.lines = lines

    def step(self) -> Step | None:
        """Return the next step, once nothing can come before it any more."""
        opened = min((min(line.waiting) for line in self._traded if line.waiting), default=None)
        if opened is None or any(line.due_ms <= opened for line in self._traded):
            return None
        closes = max(
            line.clock.closes_ms(opened) for line in self._traded if opened in line.waiting
        )
        for line in self._read:
            if line.due_ms < FOREVER_MS and line.clock.closes_ms(line.due_ms) <= closes:
                return None
        at_ms = max((line.absent.get(opened, 0) for line in self._traded), default=0)
        candles = tuple(line.taken(opened) for line in self._traded)
        read = {line.key: _closed(line, closes) for line in self._read}
        for key, candle in zip([line.key for line in self._traded], candles, strict=True):
            if key in self._both and candle is not None:
                read[key] = [candle]
        came = [one.received_ms for one in candles if one is not None]
        came += [one.received_ms for closed in read.values() for one in closed]
        return Step(opened, candles, read, max(at_ms, *came))

    def wanted(self, at_ms: int, grace_ms: int) -> list[Wanted]:
        """Return what is missing: behind a candle that came, or due for longer than the grace."""
        found: list[Wanted] = []
        for line in self.lines.values():
            last = max(line.waiting, default=0)
            until = last
            if line.due_ms < FOREVER_MS:
                late = line.clock.closes_ms(line.due_ms) + grace_ms <= at_ms
                until = max(last, line.due_ms + 1) if late else last
            one = line.wanted(until, at_ms)
            if one is not None:
                found.append(one)
        return found


def is_sound(candle: CandleClosed) -> bool:
    """Tell whether a candle keeps the laws of `Candles.check`."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return (
        all(0.0 < price < np.inf for price in prices)
        and candle.low <= min(candle.open, candle.close)
        and candle.high >= max(candle.open, candle.close)
        and 0.0 <= candle.volume < np.inf
    )


def values_of(candle: CandleClosed) -> tuple[float, ...]:
    """Return what a candle says: open, high, low, close, volume."""
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def _same(one: CandleClosed, other: CandleClosed) -> bool:
    return values_of(one) == values_of(other)


def _chosen(one: CandleClosed, other: CandleClosed) -> CandleClosed:
    """Return which of two candles of one opening counts: what was said last, heard first."""
    if _same(one, other):
        return min(one, other, key=lambda each: each.received_ms)
    return max(one, other, key=lambda each: (each.received_ms, values_of(each)))


def _closed(line: Line, closes: int) -> list[CandleClosed]:
    """Take the candles of a series that is only read, as far as they have closed."""
    found: list[CandleClosed] = []
    for opened in sorted(line.waiting):
        if line.clock.closes_ms(opened) > closes:
            break
        candle = line.taken(opened)
        if candle is not None:
            found.append(candle)
    return found
