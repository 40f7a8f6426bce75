"""How far prices went against each trade and for it, while it was held.

A candle counts with its whole range if the position was open through all of it: the candle of an
entry at the open, and each one between entry and exit. Of a candle that a resting order entered
the close alone is certain, of the candle of the exit the price of the exit.

Source: Sweeney, "Maximum Adverse Excursion" (1996).
"""

from __future__ import annotations

import numpy as np

from execution.terms import Bool, Float, Int, kernel
from execution.trades import write_excursions

CANDLES_PER_BLOCK = 16  # candles looked at together; their extremes are kept


def block_extremes(high: Float, low: Float) -> tuple[Float, Float]:
    """Return the greatest high and the least low of each block of candles, (⌈n / 16⌉,) each."""
    if not len(high):
        return np.empty(0), np.empty(0)
    starts = np.arange(0, len(high), CANDLES_PER_BLOCK)
    return np.maximum.reduceat(high, starts), np.minimum.reduceat(low, starts)


@kernel
def measure_excursions(
    trades: np.ndarray,
    count: int,
    high: Float,
    low: Float,
    close: Float,
    tops: Float,
    bottoms: Float,
    rested: bool,
) -> None:
    """Write mae and mfe of the trades of one instrument into their rows.

    trades: (≥ count,) TRADES; high, low, close: (n,) float64, of the candles that their bars count
    tops, bottoms: as `block_extremes` gives them; rested: whether entries may fill inside a candle
    """
    for i in range(count):
        trade = trades[i]
        entry, leave = trade["entry_bar"], trade["exit_bar"]
        top = bottom = trade["exit_price"]
        if leave > entry:
            if rested:
                top, bottom = max(top, close[entry]), min(bottom, close[entry])
            # candle by candle up to a block, block by block, and candle by candle again
            bar = entry + rested
            head = min(leave, -(-bar // CANDLES_PER_BLOCK) * CANDLES_PER_BLOCK)
            tail = max(head, leave // CANDLES_PER_BLOCK * CANDLES_PER_BLOCK)
            for each in range(bar, head):
                top, bottom = max(top, high[each]), min(bottom, low[each])
            for block in range(head // CANDLES_PER_BLOCK, tail // CANDLES_PER_BLOCK):
                top, bottom = max(top, tops[block]), min(bottom, bottoms[block])
            for each in range(tail, leave):
                top, bottom = max(top, high[each]), min(bottom, low[each])
        write_excursions(trade, top, bottom)


@kernel
def measure_account_excursions(
    trades: np.ndarray, count: int, traded: Int, has: Bool, high: Float, low: Float
) -> None:
    """Write mae and mfe of the trades of an account, against their average entry price.

    traded: (≥ count,) the instrument of each; has, high, low: (k, n + 1), of its steps
    """
    for i in range(count):
        trade, at = trades[i], traded[i]
        top = bottom = trade["exit_price"]
        for step in range(trade["entry_bar"], trade["exit_bar"]):
            if has[at, step]:
                top, bottom = max(top, high[at, step]), min(bottom, low[at, step])
        write_excursions(trade, top, bottom)
