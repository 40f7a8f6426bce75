"""The signals of a strategy on each close, and the crossings that most of them look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Float = NDArray[np.float64]


class Signals(NamedTuple):
    """On which closes to enter and to exit: (n,) bool each, warm-up included.

    enter, exit: of a long position
    enter_short, exit_short: of a short one; None where they mirror the long ones, so that what
        ends a long position opens a short one (`enter_short` = `exit`, `exit_short` = `enter`)
    strength: (n,) float64 in (0, 1] on each close that enters, NaN or unused elsewhere; it scales
        the size of that entry. None means 1 everywhere.
    stop, target: (n,) float64, the price level at which the position is closed, as known on each
        close; NaN where the strategy sets none. None means no level on any candle.
    exit_price: (n,) float64, the limit of the exit that a close orders; NaN for a market order or
        the run's own limit. None means no limit on any candle.
    """

    enter: Bool
    exit: Bool
    enter_short: Bool | None = None
    exit_short: Bool | None = None
    strength: Float | None = None
    stop: Float | None = None
    target: Float | None = None
    exit_price: Float | None = None

    def signals(self) -> Signals:
        """Return these signals, as `Cross.signals` does."""
        return self

    def mirrored(self) -> tuple[Bool, Bool, Bool, Bool]:
        """Return the four flags, with the short ones spelled out."""
        short = self.exit if self.enter_short is None else self.enter_short
        cover = self.enter if self.exit_short is None else self.exit_short
        return self.enter, self.exit, short, cover


class Weights(NamedTuple):
    """The share of the account that a strategy wants its instrument to have, on each close.

    A portfolio whose weights are of kind `strategy` holds these shares; elsewhere a weight says
    which side to be on, and its size is the strength of the entry.

    values: (n,) float64 in [-1, 1]: 0 is out, below 0 a short position, NaN as long as unknown
    """

    values: Float

    def signals(self) -> Signals:
        """Return the side of each close as signals, with the size of the weight as strength."""
        weights = np.nan_to_num(self.values, nan=0.0)
        long, short = weights > 0.0, weights < 0.0
        return Signals(long, ~long, short, ~short, np.abs(weights))

    def mirrored(self) -> tuple[Bool, Bool, Bool, Bool]:
        """Return the four flags, as `Signals.mirrored` does."""
        return self.signals().mirrored()


class Cross(NamedTuple):
    """Signals that two lines give: enter where `line` crosses above `level`, exit where below.

    line, level: (n,) float64, NaN where undefined
    """

    line: Float
    level: Float

    def signals(self) -> Signals:
        """Return the crossings spelled out."""
        return Signals(*crossings(self.line, self.level))


class MeanCross(NamedTuple):
    """Signals that two simple means of the closes give, not computed yet.

    A run that is alone finds the crossings without either line; runs of a grid share the lines.

    fast, slow: candles in the means, 1 ≤ fast < slow; mean: gives the line of so many
    """

    fast: int
    slow: int
    mean: Callable[[int], Float]

    def cross(self) -> Cross:
        """Return the two lines."""
        return Cross(self.mean(self.fast), self.mean(self.slow))

    def signals(self) -> Signals:
        """Return the crossings spelled out."""
        return self.cross().signals()


def crosses_above(line: Float, level: Float | float) -> Bool:
    """Tell on which candles a line is above a level that it was at or below the candle before.

    line: (n,) float64; level: (n,) float64 or one number
    returns: (n,) bool, False where either value of either candle is NaN, and on the first candle

    >>> crosses_above(np.array([np.nan, 1.0, 2.0, 3.0]), 1.0).tolist()
    [False, False, True, False]
    """
    line = _as_array(line)
    return _rises_above(line, _as_line(level, line))


def crosses_below(line: Float, level: Float | float) -> Bool:
    """Tell on which candles a line is below a level that it was at or above the candle before.

    Shapes and NaN policy as in `crosses_above`.

    >>> crosses_below(np.array([3.0, 1.0, 0.5]), 1.0).tolist()
    [False, False, True]
    """
    line = _as_array(line)
    return _rises_above(_as_line(level, line), line)


def crossings(line: Float, level: Float | float) -> tuple[Bool, Bool]:
    """Return `crosses_above` and `crosses_below` of two lines from one pass over both.

    Shapes and NaN policy as in `crosses_above`.
    """
    line = _as_array(line)
    return _crossings(line, _as_line(level, line))


@njit(cache=True, nogil=True, error_model="numpy")
def begins(state: Bool, known: Bool) -> Bool:
    """Tell on which candles something is so that was not so the candle before, though known.

    state, known: (n,) bool; returns: (n,) bool, False on the first candle

    >>> begins(np.array([True, False, True, True]), np.array([True, True, True, True])).tolist()
    [False, False, True, False]
    """
    begun = np.zeros(len(state), dtype=np.bool_)
    for bar in range(1, len(state)):
        begun[bar] = state[bar] & known[bar - 1] & ~state[bar - 1]
    return begun


def _as_array(line: Any) -> Float:
    """Return a line as the kernels take it: a pandas Series too, by position."""
    return line if isinstance(line, np.ndarray) else np.asarray(line, dtype=np.float64)


def _as_line(level: Float | float, line: Float) -> Float:
    if isinstance(level, np.ndarray):
        return level
    return np.full(line.shape, float(level)) if np.ndim(level) == 0 else _as_array(level)


@njit(cache=True, nogil=True, error_model="numpy")
def _crossings(line: Float, level: Float) -> tuple[Bool, Bool]:
    above = np.zeros(len(line), dtype=np.bool_)
    below = np.zeros(len(line), dtype=np.bool_)
    for bar in range(1, len(line)):
        above[bar] = (line[bar - 1] <= level[bar - 1]) & (line[bar] > level[bar])
        below[bar] = (line[bar - 1] >= level[bar - 1]) & (line[bar] < level[bar])
    return above, below


@njit(cache=True, nogil=True, error_model="numpy")
def _rises_above(line: Float, level: Float) -> Bool:
    crossed = np.zeros(len(line), dtype=np.bool_)
    for bar in range(1, len(line)):
        crossed[bar] = (line[bar - 1] <= level[bar - 1]) & (line[bar] > level[bar])
    return crossed
