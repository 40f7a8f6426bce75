from __future__ import annotations

import numpy as np

from backtests.signals import crosses_above, crosses_below, crossings

NAN = float("nan")


def bars(signal: np.ndarray) -> list[int]:
    return np.flatnonzero(signal).tolist()


def test_a_line_crosses_above_when_it_was_at_or_below_before() -> None:
    fast = np.array([1.0, 2.0, 3.0, 3.0, 1.0, 3.0])
    slow = np.array([2.0, 2.0, 2.0, 2.0, 2.0, 2.0])

    assert bars(crosses_above(fast, slow)) == [2, 5]
    assert bars(crosses_below(fast, slow)) == [4]


def test_touching_is_not_crossing() -> None:
    line = np.array([1.0, 2.0, 1.0, 3.0, 2.0, 3.0])

    assert bars(crosses_above(line, 2.0)) == [3, 5]
    assert bars(crosses_below(line, 2.0)) == [2]


def test_nothing_crosses_where_one_of_the_four_values_is_undefined() -> None:
    line = np.array([1.0, NAN, 3.0, 1.0, 3.0])
    level = np.array([2.0, 2.0, 2.0, NAN, 2.0])

    assert bars(crosses_above(line, level)) == bars(crosses_below(line, level)) == []


def test_the_first_candle_never_crosses() -> None:
    assert crosses_above(np.array([5.0]), 1).tolist() == [False]
    assert crosses_above(np.array([]), 1).tolist() == []


def test_both_crossings_of_one_pass_are_those_of_two() -> None:
    generator = np.random.default_rng(7)
    line, level = generator.integers(0, 4, (2, 500)).astype(float)
    line[:9], level[100:103] = np.nan, np.nan

    above, below = crossings(line, level)

    assert np.array_equal(above, crosses_above(line, level))
    assert np.array_equal(below, crosses_below(line, level))
