"""The candles and decisions of several instruments, as the rules of a portfolio read them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from execution.terms import Float, rule

Flags = NDArray[Any]  # bool, or numbers of which 0 is false


class Columns(NamedTuple):
    """The candles and decisions of k instruments, one row each and one column for each step.

    has, fillable: whether an instrument has a candle, and whether that can fill an order
    open … volume: float64; where an instrument has no candle nothing of it is read
    strength: float64, scales the weight of a position entered on that close
    stop_level, target_level: float64, levels given on each close, in force until the instrument's
        next close, NaN for none; of these three each is (k, 0) where nobody gives it
    weights: (k, steps) or (k, 1) float64, the target of each instrument that is in, as known on
        the close of each column; NaN on the last close of one that is left there
    """

    has: Flags
    fillable: Flags
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    enter: Flags
    exit: Flags
    enter_short: Flags
    exit_short: Flags
    strength: Float
    stop_level: Float
    target_level: Float
    weights: Float


@rule
def weight_given(columns: Columns, at: int, now: int) -> float:
    """Return the target weight of an instrument as known on a close."""
    weights = columns.weights
    return weights[at, now if weights.shape[1] > 1 else 0]


@rule
def strength_given(columns: Columns, at: int, now: int) -> float:
    """Return the strength given on a close, 1.0 where nobody gives one."""
    strength = columns.strength
    return strength[at, now] if strength.shape[1] else 1.0


@rule
def level_given(levels: Float, at: int, now: int) -> float:
    """Return the level given on a close, NaN where nobody gives one."""
    return levels[at, now] if levels.shape[1] else np.nan
