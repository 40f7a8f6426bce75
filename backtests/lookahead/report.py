"""What a lookahead check says: its verdict, what it covered, and the first candle that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from mela.run import from_ms, instant_text

How = Literal["again", "cut", "orders", "history", "writes"]


class Verdict(StrEnum):
    """What a check found."""

    CLEAN = "clean"
    FOUND = "lookahead found"
    NOT_VERIFIED = "not verified"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first candle about which two runs disagree.

    how: again (the same candles again), cut and orders (candles cut short), history (more in
        front), writes (the strategy changed its candles)
    bar: of the candle, in the candles checked; opened_ms: when it opened
    what: a signal, `equity`, `trades`, or a column of the candles
    whole: what the run on all candles says; part: what the other one says
    first, last: the bars that the other one saw, both included
    count: how many cuts, starts or repetitions disagree anywhere
    """

    how: How
    bar: int
    opened_ms: int
    what: str
    whole: str
    part: str
    first: int
    last: int
    count: int = 1

    def sentence(self) -> str:
        """Return the difference as people read it."""
        candle = f"candle {instant_text(from_ms(self.opened_ms))} (bar {self.bar}), {self.what}"
        other = {
            "again": "asked again",
            "cut": f"cut short behind bar {self.last}",
            "orders": f"cut short behind bar {self.last}",
            "history": f"with candles from bar {self.first} on",
            "writes": "after the strategy",
        }[self.how]
        first = "before the strategy" if self.how == "writes" else "on all candles"
        return f"{candle}: {first} {self.whole}, {other} {self.part}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found and how much it covered.

    signals: how many stand on the candles, over all four arrays
    cuts, cuts_possible: prefixes compared, and how many there are
    onsets, onsets_cut: signals that begin on a candle, and those of them right behind which a cut
        was made, where looking one candle ahead shows
    order_cuts, trades: prefixes executed, long only and in both directions, and the trades of
        both runs on all candles
    starts, compared, warmup: later beginnings, the candles compared behind them, the stated warm-up
    ties: candles excused, as prices a relative 1e-9 away change the same signal
    differences: at most one for each way of looking, the first candle of each
    unverified: why the check cannot vouch for the strategy
    """

    strategy: str
    params: Mapping[str, Any]
    candles: int
    signals: int = 0
    cuts: int = 0
    cuts_possible: int = 0
    onsets: int = 0
    onsets_cut: int = 0
    order_cuts: int = 0
    trades: int = 0
    starts: int = 0
    compared: int = 0
    warmup: int = 0
    ties: int = 0
    differences: tuple[Difference, ...] = ()
    unverified: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: a difference outweighs what was not verified."""
        if self.differences:
            return Verdict.FOUND
        return Verdict.NOT_VERIFIED if self.unverified else Verdict.CLEAN


class StrategyFailed(Exception):
    """Say that a strategy raised, or gave what no engine takes."""


class Earliest:
    """Keep the difference of the earliest candle, and count how many there were."""

    def __init__(self) -> None:
        self._kept: Difference | None = None
        self._count = 0

    def add(self, named: Difference | None) -> None:
        """Take a difference, or None where there is none."""
        if named is None:
            return
        self._count += 1
        if self._kept is None or named.bar < self._kept.bar:
            self._kept = named

    @property
    def difference(self) -> Difference | None:
        """Return the difference kept; None without any."""
        return replace(self._kept, count=self._count) if self._kept else None
