"""Walk-forward in numbers: which candles train, which test, and how folds become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mela.interval import Interval

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
MAX_FOLDS = 10_000


@dataclass(frozen=True, slots=True)
class Fold:
    """A window to choose in and the window after it, where the choice is tested.

    All in UTC milliseconds, half-open: a candle is in a window when start ≤ opened_at < end.
    """

    train_start_ms: int
    train_end_ms: int
    test_start_ms: int
    test_end_ms: int


def folds(
    start_ms: int,
    end_ms: int,
    interval: Interval,
    train: int,
    test: int,
    *,
    anchored: bool = False,
    embargo: int = 0,
) -> tuple[Fold, ...]:
    """Return the folds of [start, end), whose tests follow each other without gap or overlap.

    train, test: lengths in intervals of clock time, whether the market was open or not; ≥ 1
    anchored: training begins at the start in each fold; else it moves along with the test
    embargo: intervals between training and test that are in neither, ≥ 0

    The last test ends at `end_ms`, shorter than the others where the span does not divide.
    Raises ValueError where not one test candle fits, or for more than 10,000 folds.

    >>> day = 86_400_000
    >>> [(f.train_start_ms // day, f.train_end_ms // day, f.test_end_ms // day)
    ...  for f in folds(0, 10 * day, Interval.D1, train=4, test=3)]
    [(0, 4, 7), (3, 7, 10)]

    Source: Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), chapter 11; the
    embargo: López de Prado, "Advances in Financial Machine Learning" (2018), section 7.4.2.
    """
    if train < 1 or test < 1 or embargo < 0:
        raise ValueError(
            "expected train and test of at least 1 candle and an embargo of at least 0, but "
            f"found {train}, {test} and {embargo}"
        )
    count = _intervals(start_ms, end_ms, interval)
    first = train + embargo
    number = -(-(count - first) // test)
    if number < 1:
        raise ValueError(
            f"a walk-forward of {train} candles to train and {embargo} of embargo needs more than "
            f"{first}, but the span has {count} of {interval}. Make it longer, or train on less."
        )
    if number > MAX_FOLDS:
        raise ValueError(
            f"expected at most {MAX_FOLDS} folds, but tests of {test} make {number}. Test longer."
        )
    tests = [first + at * test for at in range(number)]
    trains = [0 if anchored else begin - first for begin in tests]
    ends = [begin - embargo for begin in tests]
    at = _openings(start_ms, interval, sorted({*tests, *trains, *ends}))
    borders = [*(at[begin] for begin in tests), end_ms]
    return tuple(
        Fold(at[begin], at[stop], borders[i], borders[i + 1])
        for i, (begin, stop) in enumerate(zip(trains, ends, strict=True))
    )


def chain(parts: Sequence[Float], cash: float) -> Float:
    """Return the equity of folds chained by return: each begins with what the one before left.

    parts: the equity of each fold, every one from the same opening cash on; each not empty
    cash: that opening cash
    returns: (Σ candles,) float64

    >>> chain([np.array([100.0, 150.0]), np.array([50.0])], cash=100.0).tolist()
    [100.0, 150.0, 75.0]
    """
    chained: list[Float] = []
    factor = 1.0
    for part in parts:
        chained.append(part * factor)
        factor *= float(part[-1]) / cash
    return np.concatenate(chained) if chained else np.empty(0)


def chained_returns(parts: Sequence[Float]) -> Float:
    """Return the period returns of all folds, one after the other.

    Each fold's first return starts from its own opening cash, so that no return spans a border.
    """
    return np.concatenate(parts) if parts else np.empty(0)


def within(entry_ms: Int, exit_ms: Int, start_ms: int, end_ms: int) -> Bool:
    """Tell which trades lie wholly in [start, end); the others cross a border and are purged.

    entry_ms, exit_ms: (n,) int64, the openings of the candles of both fills; a trade that is still
        open has no exit, and is not among them
    returns: (n,) bool. What a purged trade earned is known only beyond the border, or was decided
        before it, so it must not count for choosing.

    >>> within(np.array([1, 5]), np.array([4, 12]), 0, 10).tolist()
    [True, False]

    Source: López de Prado, "Advances in Financial Machine Learning" (2018), section 7.4.1.
    """
    return (entry_ms >= start_ms) & (exit_ms < end_ms)


def _intervals(start_ms: int, end_ms: int, interval: Interval) -> int:
    """Return how many intervals begin in [start, end), counted from start."""
    fixed = interval.fixed_ms
    if fixed is not None:
        return max(0, -(-(end_ms - start_ms) // fixed))
    count, at = 0, start_ms
    while at < end_ms:
        at = interval.end_ms(at)
        count += 1
    return count


def _openings(start_ms: int, interval: Interval, wanted: Sequence[int]) -> dict[int, int]:
    """Return when each of some intervals after the start opens; `wanted` rises."""
    fixed = interval.fixed_ms
    if fixed is not None:
        return {number: start_ms + number * fixed for number in wanted}
    opens: dict[int, int] = {}
    number, at = 0, start_ms
    for next_one in wanted:
        for _ in range(next_one - number):
            at = interval.end_ms(at)
        number = next_one
        opens[number] = at
    return opens
