"""Beginning later: beyond its warm-up a strategy must not depend on what came long before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backtests.lookahead.cut_candles import COLUMNS, choose_starts, frozen, part_of
from backtests.lookahead.differences import first_difference
from backtests.lookahead.report import Checked, Difference, Earliest, StrategyFailed
from backtests.lookahead.strategy_call import Answer, Asker
from mela.candles import Candles
from mela.counts import counted

COMPARED = 1_000  # candles looked at behind each start
NOISE = 1e-9  # relative: what a value may differ by and still tie
LEVELS = 1e-6  # relative: what recursive means may leave in a level after their warm-up
NOISY_RUNS = 32
ENOUGH = 8  # differences that no tie explains, after which nobody looks for ties any more
TIES_AT_MOST = 0.01  # of the candles compared: what happens more often is no coincidence

Table = NDArray[np.bool_]


def begin_later(
    found: Checked,
    candles: Candles,
    asker: Asker,
    whole: Answer,
    random: np.random.Generator,
) -> tuple[Checked, Difference | None]:
    """Compare signals behind a later beginning and its warm-up with those that know more."""
    warmup = found.warmup
    starts = choose_starts(len(candles), whole.onsets(), warmup, random)
    named, failures, compared, signals, ties = Earliest(), {}, 0, 0, 0
    for start in starts.tolist():
        begin, end = start + warmup, min(len(candles), start + warmup + COMPARED)
        longer = replace(part_of(candles, 0, end), start_bar=begin)
        shorter = replace(part_of(candles, start, end), start_bar=warmup)
        try:
            more = asker.ask(longer).part(begin, end)
            less = asker.ask(shorter, after_warmup=True).part(warmup, end - start)
            tied = np.zeros_like(more.flags)
            if named.count < ENOUGH:
                tied = _tied(shorter, asker, more.flags, less.flags, random)
        except StrategyFailed as error:
            failures[start] = error
            continue
        compared += end - begin
        signals += int(more.flags.sum())
        ties += int(tied.any(axis=0).sum())
        excused = np.concatenate([tied, ~_apart(more, less)])
        named.add(
            first_difference("history", candles, more, less, begin, first=start, excused=excused)
        )
    found = replace(found, starts=len(starts), compared=compared, ties=ties)
    if failures:
        start, error = next(iter(failures.items()))
        found = found.doubting(f"given the candles from bar {start:,} on, it {error}")
    if ties > max(1, TIES_AT_MOST * compared):
        return found.doubting(
            f"with more history {ties:,} of {counted(compared, 'candle')} differ where compared "
            "values tie, "
            "which is too often for a coincidence",
        ), named.difference
    if not signals:
        found = found.doubting(
            f"no signal lies beyond the warm-up of {counted(warmup, 'candle')}, so that more "
            "history in "
            f"front could change none: give it more than the {counted(len(candles), 'candle')} "
            "it had",
        )
    return found, named.difference


def _apart(more: Answer, less: Answer) -> Table:
    """Tell where levels differ by more than a warm-up leaves; a strength only where both enter."""
    differs = less.differs(more, close=LEVELS)[len(more.flags) :]
    differs[0] &= ~np.isnan(more.levels[0]) & ~np.isnan(less.levels[0])
    return differs


def _tied(
    candles: Candles, asker: Asker, more: Table, less: Table, random: np.random.Generator
) -> Table:
    """Tell where signals differ only as compared values tie: prices a hair away give either.

    more, less: (4, m), the signals behind the warm-up, with more history and on these candles
    """
    tied = np.zeros_like(more)
    if np.array_equal(more, less):
        return tied
    for _ in range(NOISY_RUNS):
        factor = 1.0 + NOISE * random.uniform(-1.0, 1.0, len(candles))
        prices = {name: getattr(candles, name) * factor for name in COLUMNS[:4]}
        noisy = asker.ask(frozen(replace(candles, **prices)), after_warmup=True).flags
        tied |= (more != less) & (noisy[:, candles.start_bar :] == more)
    return tied
