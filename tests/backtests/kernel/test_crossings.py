"""The bars of signals are found in blocks and bits; numpy's plain answer is the reference."""

import numpy as np
import pytest

from backtests.kernel.crossings import SIGNALS_PER_BLOCK, crossing_bars, signal_bars

SIZES = [
    1,
    SIGNALS_PER_BLOCK - 1,
    SIGNALS_PER_BLOCK,
    SIGNALS_PER_BLOCK + 1,
    5 * SIGNALS_PER_BLOCK + 77,
]
SHARES = [0.0, 0.002, 0.1, 0.5, 0.95, 1.0]


def room(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    flags = np.zeros((2, SIGNALS_PER_BLOCK), np.bool_)
    above, below = np.full((2, n + 1), -1, np.int64)
    return above, below, flags, flags.view(np.int64)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_flags_are_found_where_they_stand(n: int, share: float) -> None:
    rng = np.random.default_rng(n)
    enter, exit_ = rng.random(n) < share, rng.random(n) < share / 2
    for first in {0, min(3, n), n // 2}:
        above, below, flags, words = room(n)
        entries, exits = signal_bars(enter, exit_, first, above, below, flags, words)
        wanted = np.flatnonzero(enter & ~exit_)
        unwanted = np.flatnonzero(exit_)
        assert above[:entries].tolist() == wanted[wanted >= first].tolist()
        assert below[:exits].tolist() == unwanted[unwanted >= first].tolist()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("levels", [2, 3, 50])
def test_crossings_are_found_where_lines_cross(n: int, levels: int) -> None:
    rng = np.random.default_rng(levels * n)
    line, level = rng.integers(0, levels, (2, n)).astype(float)
    line[rng.random(n) < 0.01] = np.nan
    above, below, flags, words = room(n)
    ups, downs = crossing_bars(line, level, 0, above, below, flags, words)
    was, stood, now, stands = line[:-1], level[:-1], line[1:], level[1:]
    assert above[:ups].tolist() == (np.flatnonzero((was <= stood) & (now > stands)) + 1).tolist()
    assert below[:downs].tolist() == (np.flatnonzero((was >= stood) & (now < stands)) + 1).tolist()
