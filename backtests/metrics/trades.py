"""What the trades of a run tell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

STILL = 1e-12  # a deviation below so many times the mean is rounding


class TradesMeasured(NamedTuple):
    """What `measure_trades` finds.

    top_share: the largest profit as a share of all profits above 0
    traded: notional of the trades' fills, entries and exits, in quote currency
    """

    profit_factor: float
    expectancy: float
    sqn: float
    kelly: float
    avg_trade: float
    best_trade: float
    worst_trade: float
    top_share: float
    traded: float


@njit(cache=True, nogil=True, error_model="numpy")
def measure_trades(fills: np.ndarray, count: int) -> TradesMeasured:
    """Return everything that the round trips of a run give, in one pass.

    fills: (≥ count,) rows with size, entry_price, exit_price and profit (net of all costs)
    returns: NaN for each without trades, but 0.0 for traded; each definition with its own edge
        cases and its source in docs/metrics.md
    """
    nan = np.nan
    if count == 0:
        return TradesMeasured(nan, nan, nan, nan, nan, nan, nan, nan, 0.0)
    won = lost = won_parts = lost_parts = total = parts = traded = 0.0
    winning = losing = 0
    top = 0.0
    best, worst = -np.inf, np.inf
    offset = fills[0]["profit"]  # against cancellation where profits are all but equal
    apart = squares = 0.0
    for i in range(count):
        row = fills[i]
        profit = row["profit"]
        units = abs(row["size"])
        part = profit / (units * row["entry_price"])
        total += profit
        won += max(profit, 0.0)
        lost -= min(profit, 0.0)
        top = max(top, profit)
        winning += profit > 0.0
        losing += profit < 0.0
        parts += part
        won_parts += max(part, 0.0)
        lost_parts -= min(part, 0.0)
        best = max(best, part)
        worst = min(worst, part)
        traded += units * (row["entry_price"] + row["exit_price"])
        apart += profit - offset
        squares += (profit - offset) * (profit - offset)

    mean = total / count
    sqn = nan
    if count > 1:
        risk = math.sqrt(max(squares - apart * apart / count, 0.0) / (count - 1))
        if risk > STILL * abs(mean):
            sqn = math.sqrt(count) * mean / risk
    kelly = nan
    if winning and losing:
        chance = winning / (winning + losing)
        kelly = chance - (1.0 - chance) / (won_parts / winning / (lost_parts / losing))
    return TradesMeasured(
        won / lost if lost > 0.0 else nan,
        mean,
        sqn,
        kelly,
        parts / count,
        best,
        worst,
        top / won if won > 0.0 else nan,
        traded,
    )
