"""Candles to ask about: cut short, begun later, or with another future behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import read_only
from backtests.context import candle_closes_ms
from mela.candles import Candles

ALL_CUTS = 600  # cuts of a series are few enough to try every one
BUDGET = 8_000_000  # candles read over all cuts, beyond which a choice of cuts is made
LEAST_CUTS = 100
SHORTEST = 8  # cuts asked first, in rising order
STARTS = 64
SHOCK = 0.02  # a candle's move in another future
COLUMNS = ("open", "high", "low", "close", "volume", "opened_ms")

Int = NDArray[np.int64]


def choose_cuts(count: int, onsets: Int, random: np.random.Generator, budget: int = BUDGET) -> Int:
    """Return after how many candles a series is cut short: rising, each in [1, count).

    Every number where they are at most ALL_CUTS, or where the budget allows. Else the last 64, a
    third right behind candles on which a signal begins, and the rest spread: one at a random place
    of each of equal parts.

    onsets: the bars on which signals begin; budget: candles read over all cuts
    """
    most = max(LEAST_CUTS, 2 * budget // max(count, 1))
    if count - 1 <= max(ALL_CUTS, most):
        return np.arange(1, count)
    tail = np.arange(count - min(64, most // 3), count)
    behind = random.choice(onsets + 1, min(len(onsets), most // 3), replace=False)
    parts = np.linspace(1, count, most - len(tail) - len(behind) + 1)
    spread = np.floor(random.uniform(parts[:-1], parts[1:])).astype(np.int64)
    chosen = np.unique(np.concatenate([tail, behind, spread]))
    return chosen[chosen < count]


def in_asking_order(cuts: Int, random: np.random.Generator) -> Int:
    """Return cuts as they are asked: the shortest first, then the others at random.

    State that a strategy keeps from its first call then covers few candles, and state from the
    longest call so far meets shorter calls afterwards.
    """
    return np.concatenate([cuts[:SHORTEST], random.permutation(cuts[SHORTEST:])])


def choose_starts(count: int, onsets: Int, warmup: int, random: np.random.Generator) -> Int:
    """Return bars to begin at: half so that a signal stands right behind the warm-up."""
    possible = np.arange(1, max(1, count - warmup))
    if len(possible) <= STARTS:
        return possible
    behind = onsets[onsets - warmup >= 1] - warmup
    behind = random.choice(behind, min(len(behind), STARTS // 2), replace=False)
    spread = np.linspace(1, count - warmup - 1, STARTS - len(behind)).astype(np.int64)
    return np.unique(np.concatenate([behind, spread]))


def part_of(candles: Candles, first: int, end: int) -> Candles:
    """Return candles [first, end)."""
    columns = {name: getattr(candles, name)[first:end] for name in COLUMNS}
    start_bar = min(max(0, candles.start_bar - first), end - first)
    return replace(candles, start_bar=start_bar, **columns)


def with_another_future(candles: Candles, bar: int, random: np.random.Generator) -> Candles:
    """Return as many candles, those behind a bar with other prices and volumes, inputs too."""
    closed_ms = int(candle_closes_ms(part_of(candles, bar, bar + 1))[0])
    changed = _walking_off(candles, bar + 1, random)
    inputs = {
        key: _walking_off(series, int((candle_closes_ms(series) <= closed_ms).sum()), random)
        for key, series in candles.inputs.items()
    }
    return replace(changed, inputs=inputs) if inputs else changed


def _walking_off(candles: Candles, first: int, random: np.random.Generator) -> Candles:
    count = len(candles) - first
    factor, busier = np.ones((2, len(candles)))
    factor[first:] = np.exp(np.cumsum(random.normal(0.0, SHOCK, count)))
    busier[first:] = random.lognormal(0.0, 1.0, count)
    prices = {name: getattr(candles, name) * factor for name in COLUMNS[:4]}
    return frozen(replace(candles, volume=candles.volume * busier, **prices))


def frozen(candles: Candles) -> Candles:
    """Return the same candles, which cannot be written to."""
    return replace(
        candles,
        **{
            name: read_only(getattr(candles, name), getattr(candles, name).dtype)
            for name in COLUMNS
        },
    )
