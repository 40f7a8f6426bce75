"""Telling two answers apart: the first candle on which they differ, as people read it."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from backtests.lookahead.report import Difference, How, StrategyFailed
from backtests.lookahead.strategy_call import Answer
from backtests.signals import Signals
from mela.candles import Candles
from mela.outcome import Outcome
from mela.run import from_ms, to_ms

NAMES = (*Signals._fields[:4], "strength", "stop", "target", "exit_price")


def first_difference(
    how: How,
    candles: Candles,
    whole: Answer,
    part: Answer,
    begin: int,
    *,
    first: int = 0,
    excused: np.ndarray | None = None,
) -> Difference | None:
    """Name the first candle on which two answers differ.

    begin: the bar of their first column; first: the bar that the part's candles begin at
    excused: (8, m) bool, differences that do not count
    """
    if whole.is_same(part):
        return None
    differs = whole.differs(part)
    if excused is not None:
        differs &= ~excused
    places = np.flatnonzero(differs.any(axis=0))
    if len(places) == 0:
        return None
    place = int(places[0])
    row = int(np.flatnonzero(differs[:, place])[0])
    one, other = (_value(answer, row, place) for answer in (whole, part))
    bar, last = begin + place, begin + differs.shape[1] - 1
    return Difference(how, bar, int(candles.opened_ms[bar]), NAMES[row], one, other, first, last)


def _value(answer: Answer, row: int, place: int) -> str:
    flags = len(answer.flags)
    return str(bool(answer.flags[row, place]) if row < flags else answer.levels[row - flags, place])


def first_written(candles: Candles, given: Candles, columns: tuple[str, ...]) -> Difference | None:
    """Name the first value of its candles that a strategy changed."""
    found: list[Difference] = []
    for name in columns:
        before, after = getattr(candles, name), getattr(given, name)
        changed = np.flatnonzero((before != after) | np.isnan(after))
        if len(changed):
            bar, last = int(changed[0]), len(candles) - 1
            at, was, now = int(candles.opened_ms[bar]), f"{before[bar]}", f"{after[bar]}"
            found.append(Difference("writes", bar, at, name, was, now, 0, last))
    return min(found, key=lambda one: one.bar, default=None)


def other_fills(
    candles: Candles, whole: Outcome, part: Outcome, first: int, cut: int
) -> Difference | None:
    """Name the first candle on which the account of a prefix differs from that of the whole.

    Raises StrategyFailed where the prefix gave no account.
    """
    if whole.curve is None or part.curve is None:
        reason = ": ".join(part.error or (part.status.value,))
        raise StrategyFailed(f"ends as {reason}")
    least = min(len(part.curve.equity), len(whole.curve.equity))
    differs = np.flatnonzero(whole.curve.equity[:least] != part.curve.equity[:least])
    last_at = from_ms(int(candles.opened_ms[cut - 1]))
    expected = [trade for trade in whole.curve.trades if trade.exit_at <= last_at]
    pairs = enumerate(zip(expected, part.curve.trades, strict=False))
    unequal = next((n for n, (one, other) in pairs if one != other), None)
    if len(differs):
        bar = first + int(differs[0])
        one, other = whole.curve.equity[differs[0]], part.curve.equity[differs[0]]
        at = int(candles.opened_ms[bar])
        return Difference("orders", bar, at, "equity", f"{one}", f"{other}", 0, cut - 1)
    if unequal is not None:
        bar = _bar_of(candles, expected[unequal].entry_at)
        one, other = f"{expected[unequal]}", f"{part.curve.trades[unequal]}"
    elif len(expected) != len(part.curve.trades):
        bar = cut - 1
        one, other = f"{len(expected)} closed so far", f"{len(part.curve.trades)}"
    else:
        return None
    return Difference("orders", bar, int(candles.opened_ms[bar]), "trades", one, other, 0, cut - 1)


def _bar_of(candles: Candles, at: datetime) -> int:
    return int(np.searchsorted(candles.opened_ms, to_ms(at)))
