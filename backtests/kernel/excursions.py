"""Measure how far prices went against each trade and for it, while it was held.

A candle counts with its whole range if the position was open through all of it: the candle of an
entry at the open, and each one between entry and exit. On a candle that a resting order entered,
only the close certainly came later; on the candle of the exit, only the price of the exit is
certain.

Source: Sweeney, "Maximum Adverse Excursion" (1996).
"""

from __future__ import annotations

import numpy as np

from execution.terms import Bool, Float, Int, kernel, kernel_of_numbers
from execution.trades import write_excursions

WINDOW = 8  # candles looked at together; their extremes are kept


def window_extremes(high: Float, low: Float) -> tuple[Float, Float]:
    """Return the greatest high and the least low of each candle and the seven behind it.

    high, low: (n,) float64, without NaN. Returns (n,) each; near the end fewer candles are behind.
    """
    tops, bottoms = np.empty(len(high)), np.empty(len(high))
    _write_extremes(high, low, tops, bottoms)
    return tops, bottoms


@kernel_of_numbers
def _write_extremes(high: Float, low: Float, tops: Float, bottoms: Float) -> None:
    n = len(high)
    for bar in range(n - WINDOW + 1):
        top, bottom = high[bar], low[bar]
        for behind in range(1, WINDOW):
            top, bottom = max(top, high[bar + behind]), min(bottom, low[bar + behind])
        tops[bar], bottoms[bar] = top, bottom
    top, bottom = -np.inf, np.inf
    for bar in range(n - 1, max(n - WINDOW, -1), -1):
        top, bottom = max(top, high[bar]), min(bottom, low[bar])
        tops[bar], bottoms[bar] = top, bottom


@kernel_of_numbers
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
    tops, bottoms: as `window_extremes` gives them; rested: whether entries may fill inside a candle
    """
    for i in range(count):
        trade = trades[i]
        entry, leave = trade["entry_bar"], trade["exit_bar"]
        top = bottom = trade["exit_price"]
        if leave > entry:
            if rested:
                top, bottom = max(top, close[entry]), min(bottom, close[entry])
            first = entry + rested
            if leave - first < WINDOW:
                for bar in range(first, leave):
                    top, bottom = max(top, high[bar]), min(bottom, low[bar])
            else:  # window by window; the last one may overlap
                for bar in range(first, leave - WINDOW, WINDOW):
                    top, bottom = max(top, tops[bar]), min(bottom, bottoms[bar])
                last = leave - WINDOW
                top, bottom = max(top, tops[last]), min(bottom, bottoms[last])
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
