"""List the bars of signals, in one pass that the processor can take in bulk.

A block of candles is compared at once into bytes, sixty-four bytes become the bits of one word, and
the set bits of a word are written eight at a time without asking how many there are: where signals
stand cannot be foretold, and a branch for each costs more than the work. (So simdjson finds the
structure of a text: Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from backtests.signals import Bool, Float
from execution.terms import kernel

SIGNALS_PER_BLOCK = 512

Bars = NDArray[np.int64]


@kernel
def crossing_bars(
    line: Float, level: Float, first: int, above: Bars, below: Bars, flags: Bool, words: Bars
) -> tuple[int, int]:
    """Write the bars from `first` on at which a line crosses above and below another.

    line, level: (n,) float64; where a value of either candle is NaN nothing crosses
    above, below: (≥ n + 1,) int64, written, rising
    flags, words: (2, SIGNALS_PER_BLOCK) bool, and the same bytes as int64, an eighth as many
    returns: how many there are of each
    """
    n, ups, downs = len(line), 0, 0
    bar = max(first, 1)
    rises, falls = flags[0], flags[1]
    while bar + SIGNALS_PER_BLOCK <= n:
        a, b = line[bar : bar + SIGNALS_PER_BLOCK], level[bar : bar + SIGNALS_PER_BLOCK]
        a0, b0 = (
            line[bar - 1 : bar + SIGNALS_PER_BLOCK - 1],
            level[bar - 1 : bar + SIGNALS_PER_BLOCK - 1],
        )
        for each in range(SIGNALS_PER_BLOCK):
            rises[each] = (a0[each] <= b0[each]) & (a[each] > b[each])
        for each in range(SIGNALS_PER_BLOCK):
            falls[each] = (a0[each] >= b0[each]) & (a[each] < b[each])
        ups = _collect(words[0], bar, above, ups)
        downs = _collect(words[1], bar, below, downs)
        bar += SIGNALS_PER_BLOCK
    for each in range(bar, n):
        above[ups] = below[downs] = each
        ups += (line[each - 1] <= level[each - 1]) & (line[each] > level[each])
        downs += (line[each - 1] >= level[each - 1]) & (line[each] < level[each])
    return ups, downs


@kernel
def signal_bars(
    enter: Bool, exit_: Bool, first: int, entries: Bars, exits: Bars, flags: Bool, words: Bars
) -> tuple[int, int]:
    """Write the bars from `first` on with an entry signal and no exit, and those with an exit.

    enter, exit_: (n,) bool; the others, and what is returned, as in `crossing_bars`
    """
    n, ins, outs = len(enter), 0, 0
    bar = first
    wanted, unwanted = flags[0], flags[1]
    while bar + SIGNALS_PER_BLOCK <= n:
        a, b = enter[bar : bar + SIGNALS_PER_BLOCK], exit_[bar : bar + SIGNALS_PER_BLOCK]
        for each in range(SIGNALS_PER_BLOCK):
            wanted[each] = a[each] > b[each]
        for each in range(SIGNALS_PER_BLOCK):
            unwanted[each] = b[each]
        ins = _collect(words[0], bar, entries, ins)
        outs = _collect(words[1], bar, exits, outs)
        bar += SIGNALS_PER_BLOCK
    for each in range(bar, n):
        entries[ins] = exits[outs] = each
        ins += enter[each] > exit_[each]
        outs += exit_[each]
    return ins, outs


@intrinsic
def _count_ones(_typing: Any, _word: Any) -> Any:
    """Return how many bits of an int64 are set."""

    def made(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), made


@intrinsic
def _lowest_one(_typing: Any, _word: Any) -> Any:
    """Return the place of the lowest set bit of an int64; 64 where none is."""

    def made(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), made


@kernel
def _collect(words: Bars, bar: int, found: Bars, count: int) -> int:
    """Write the bars of a block's flags that are set, behind the `count` already found.

    words: (SIGNALS_PER_BLOCK / 8,) int64, eight flags each, the first in the lowest byte
    found: up to 7 places behind the last one written are written over, none behind its block
    """
    for first in range(0, SIGNALS_PER_BLOCK // 8, 8):
        bits = 0
        for each in range(8):
            # eight bytes of 0 or 1 to the eight bits of the product's highest byte
            bits |= (((words[first + each] * 0x0102040810204080) >> 56) & 255) << (8 * each)
        here = bar + 8 * first
        end = count + _count_ones(bits)  # pyright: ignore[reportCallIssue]
        while count < end:
            for each in range(8):
                found[count + each] = here + _lowest_one(bits)
                bits &= bits - 1
            count += 8
        count = end
    return count


@kernel
def mean_crossing_bars(
    close: Float, fast: int, slow: int, first: int, above: Bars, below: Bars
) -> tuple[int, int]:
    """Write the bars at which one simple mean of closes crosses above and below a longer one.

    The same bars as `crossing_bars` finds on TA-Lib's two means, whose sums are formed here in
    TA-Lib's own order, without writing either line: each sum waits for its last two additions,
    and all else is done meanwhile.

    close: (n,) float64; 1 ≤ fast < slow: candles in the means; the others as in `crossing_bars`
    """
    n, ups, downs = len(close), 0, 0
    if slow > n:
        return 0, 0
    quick = steady = 0.0
    for bar in range(slow - 1):
        quick += close[bar]
        if bar >= fast - 1:
            quick -= close[bar - fast + 1]
        steady += close[bar]
    # the first candle on which both are defined; crossings count from the one after
    quick += close[slow - 1]
    steady += close[slow - 1]
    was, stood = quick / fast, steady / slow
    quick -= close[slow - fast]
    steady -= close[0]
    for bar in range(slow, n):
        quick += close[bar]
        steady += close[bar]
        line, level = quick / fast, steady / slow
        quick -= close[bar - fast + 1]
        steady -= close[bar - slow + 1]
        above[ups] = below[downs] = bar
        counts = bar >= first
        ups += counts & (was <= stood) & (line > level)
        downs += counts & (was >= stood) & (line < level)
        was, stood = line, level
    return ups, downs
