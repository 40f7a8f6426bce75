"""Compare what a session did with a backtest, trade by trade. Pure.

Numbers are compared bit for bit: what differs by rounding differs. A trade is the same on both
sides if it enters the same instrument in the same direction on the same candle; of those that are
left, one that entered within a few candles is the same trade at another time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["missed", "extra", "price", "size", "fee", "timing", "equity"]
KINDS: tuple[Kind, ...] = ("missed", "extra", "timing", "price", "size", "fee", "equity")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A trade. Instants: the openings of the candles of its fills; size: signed."""

    instrument: str
    entry_ms: int
    exit_ms: int
    size: float
    entry_price: float
    exit_price: float
    fees: float
    profit: float
    exit_reason: str

    @property
    def side(self) -> int:
        """Return 1 for a long trade and -1 for a short one."""
        return 1 if self.size > 0 else -1


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. what: of the trade; ours, backtest: None where a side lacks it.

    cause: a word, `unknown` where nothing explains it; why: a sentence
    """

    kind: Kind
    instrument: str
    entry_ms: int
    exit_ms: int
    side: int
    what: str
    ours: float | None
    backtest: float | None
    cause: str = UNKNOWN
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The differences, the earliest first. differing: trades on both sides that are not equal."""

    differences: tuple[Difference, ...]
    missed: int
    extra: int
    differing: int


Curves = Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


def compare_trades(
    ours: Sequence[RoundTrip], theirs: Sequence[RoundTrip], near_ms: int
) -> Compared:
    """Compare the trades of a session with those of a backtest of the same span.

    near_ms: how far apart entries of the same trade may be
    """
    left: dict[tuple[str, int, int], list[RoundTrip]] = {}
    for one in ours:
        left.setdefault(_key(one), []).append(one)
    pairs: list[tuple[RoundTrip, RoundTrip]] = []
    unmet: list[RoundTrip] = []
    for one in theirs:
        same = left.get(_key(one))
        if same:
            pairs.append((same.pop(0), one))
        else:
            unmet.append(one)
    extra = [one for same in left.values() for one in same]
    missed: list[RoundTrip] = []
    for one in unmet:
        nearest = min(extra, key=lambda mine: _distance(mine, one), default=None)
        if nearest is None or _distance(nearest, one) > near_ms:
            missed.append(one)
        else:
            extra.remove(nearest)
            pairs.append((nearest, one))
    found = [_only("missed", one) for one in missed] + [_only("extra", one) for one in extra]
    unequal = [lines for pair in pairs if (lines := list(_unequal(*pair)))]
    found += [line for lines in unequal for line in lines]
    found.sort(key=lambda one: (one.entry_ms, one.instrument, KINDS.index(one.kind)))
    return Compared(tuple(found), len(missed), len(extra), len(unequal))


def compare_curves(ours: Curves, theirs: Curves) -> list[Difference]:
    """Return where the equity of each account first differs; none where it never does.

    ours, theirs: by account, openings and equity on each close
    """
    found: list[Difference] = []
    for account, (opened, equity) in theirs.items():
        mine_opened, mine = ours.get(account, (np.empty(0, np.int64), np.empty(0)))
        known = dict(zip(mine_opened.tolist(), mine.tolist(), strict=True))
        for at, value in zip(opened.tolist(), equity.tolist(), strict=True):
            own = known.get(at)
            if own is None or own != value:
                line = Difference("equity", account, at, at, 1, "first difference", own, value)
                found.append(line)
                break
    return found


def _key(one: RoundTrip) -> tuple[str, int, int]:
    return one.instrument, one.entry_ms, one.side


def _distance(one: RoundTrip, other: RoundTrip) -> float:
    if (one.instrument, one.side) != (other.instrument, other.side):
        return math.inf
    return abs(one.entry_ms - other.entry_ms)


def _only(kind: Kind, trade: RoundTrip) -> Difference:
    profit = trade.profit
    ours, theirs = (None, profit) if kind == "missed" else (profit, None)
    where = trade.instrument, trade.entry_ms, trade.exit_ms, trade.side
    return Difference(kind, *where, "profit", ours, theirs)


def _unequal(ours: RoundTrip, theirs: RoundTrip) -> Iterable[Difference]:
    where = theirs.instrument, theirs.entry_ms, theirs.exit_ms, theirs.side
    fields: tuple[tuple[Kind, str, float, float], ...] = (
        ("timing", "entry", ours.entry_ms, theirs.entry_ms),
        ("timing", "exit", ours.exit_ms, theirs.exit_ms),
        ("price", "entry price", ours.entry_price, theirs.entry_price),
        ("price", "exit price", ours.exit_price, theirs.exit_price),
        ("size", "size", ours.size, theirs.size),
        ("fee", "fees", ours.fees, theirs.fees),
    )
    for kind, what, mine, other in fields:
        if mine != other:
            yield Difference(kind, *where, what, float(mine), float(other))
    if ours.exit_reason != theirs.exit_reason:
        why = f"{ours.exit_reason} instead of {theirs.exit_reason}"
        yield Difference("timing", *where, "exit reason", None, None, why=why)
