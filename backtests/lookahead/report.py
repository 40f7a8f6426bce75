"""The report of a lookahead check: verdict, coverage, and the first candle that differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from backtests.lookahead.resource_watch import Reach
from mela.run import from_ms, instant_text
from mela.verdict import Verdict

How = Literal["again", "cut", "future", "orders", "history", "writes"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first candle about which two runs disagree.

    how: again (the same candles again), cut and orders (candles cut short), future (other candles
        behind), history (more in front), writes (the strategy changed its candles)
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
            "future": f"with other candles behind bar {self.last}",
            "orders": f"cut short behind bar {self.last}",
            "history": f"with candles from bar {self.first} on",
            "writes": "after the strategy",
        }[self.how]
        first = "before the strategy" if self.how == "writes" else "on all candles"
        return f"{candle}: {first} {self.whole}, {other} {self.part}"


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of a check, and how much it covered.

    signals: how many stand on the candles, over all four arrays
    cuts, cuts_possible: prefixes compared, and how many there are
    onsets, onsets_cut: signals that begin on a candle, and those of them right behind which a cut
        was made, where looking one candle ahead shows
    futures: series of the same length with other candles behind some bar
    fresh: processes that had not seen the strategy, each asked once or twice
    order_cuts, trades: prefixes executed, long only and in both directions, and the trades of
        both runs on all candles
    starts, compared, warmup: later beginnings, the candles compared behind them, the stated warm-up
    ties: candles excused, as prices a relative 1e-9 away change the same signal
    differences: at most one for each way of looking, the first candle of each
    unverified: why the check cannot vouch for the strategy
    reaches: what it reached for beside its candles
    """

    strategy: str
    params: Mapping[str, Any]
    candles: int
    signals: int = 0
    cuts: int = 0
    cuts_possible: int = 0
    onsets: int = 0
    onsets_cut: int = 0
    futures: int = 0
    fresh: int = 0
    order_cuts: int = 0
    trades: int = 0
    starts: int = 0
    compared: int = 0
    warmup: int = 0
    ties: int = 0
    differences: tuple[Difference, ...] = ()
    unverified: tuple[str, ...] = ()
    reaches: tuple[Reach, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: a proof outweighs a doubt, and a doubt a beginning that matters."""
        if any(difference.how != "history" for difference in self.differences):
            return Verdict.FOUND
        if self.unverified or self.reaches:
            return Verdict.NOT_VERIFIED
        return Verdict.DEPENDS_ON_HISTORY if self.differences else Verdict.CLEAN

    def doubting(self, *why: str) -> Checked:
        """Return the same, with reasons why the check cannot vouch for the strategy."""
        return replace(self, unverified=(*self.unverified, *why))


class StrategyFailed(Exception):
    """Say that a strategy raised, or gave what no engine takes."""


class Earliest:
    """Keep the difference of the earliest candle, and count how many there were."""

    def __init__(self) -> None:
        self._kept: Difference | None = None
        self.count = 0

    def add(self, named: Difference | None) -> None:
        """Take a difference, or None where there is none."""
        if named is None:
            return
        self.count += 1
        if self._kept is None or _place(named) < _place(self._kept):
            self._kept = named

    @property
    def difference(self) -> Difference | None:
        """Return the difference kept; None without any."""
        return replace(self._kept, count=self.count) if self._kept else None


def by_way(named: Iterable[Difference | None]) -> tuple[Difference, ...]:
    """Return one difference for each way of looking, the first candle of each."""
    kept: dict[How, Difference] = {}
    for one in named:
        if one is None:
            continue
        other = kept.setdefault(one.how, one)
        count = max(one.count, other.count)  # the same cut may have been asked twice
        kept[one.how] = replace(min(other, one, key=_place), count=count)
    return tuple(kept.values())


def _place(difference: Difference) -> tuple[int, int]:
    return difference.bar, difference.last
