"""Metrics of the trades of a run."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from backtests.metrics.row import RowType

STILL = 1e-12  # a deviation below so many times the mean is rounding


@njit(cache=True, nogil=True, error_model="numpy")
def measure_trades(fills: np.ndarray, count: int, row: RowType) -> float:
    """Write everything that the round trips of a run give, in one pass.

    fills: (≥ count,) rows with size, entry_price, profit (net of all costs), mae and mfe
    row: a record of ROW, written: NaN for each without trades; each definition with its own edge
        cases and its source in docs/metrics.md
    returns: the largest profit as a share of all profits above 0; NaN without one
    """
    row.trades = count
    if count == 0:
        _undefined(row)
        return np.nan
    gross_profit = gross_loss = won_parts = lost_parts = total = parts = against = beside = 0.0
    winning = losing = 0
    top = 0.0
    best, worst = -np.inf, np.inf
    offset = fills[0]["profit"]  # against cancellation where profits are all but equal
    apart = squares = 0.0
    for i in range(count):
        trade = fills[i]
        profit = trade["profit"]
        part = profit / (abs(trade["size"]) * trade["entry_price"])
        total += profit
        gross_profit += max(profit, 0.0)
        gross_loss -= min(profit, 0.0)
        top = max(top, profit)
        winning += profit > 0.0
        losing += profit < 0.0
        parts += part
        against += trade["mae"]
        beside += trade["mfe"]
        won_parts += max(part, 0.0)
        lost_parts -= min(part, 0.0)
        best = max(best, part)
        worst = min(worst, part)
        apart += profit - offset
        squares += (profit - offset) * (profit - offset)

    mean = total / count
    row.winning_trades, row.losing_trades = winning, losing
    row.win_rate = winning / count
    row.profit_factor = gross_profit / gross_loss if gross_loss > 0.0 else np.nan
    row.expectancy = mean
    row.sqn = _quality(mean, squares - apart * apart / count, count)
    row.kelly = np.nan
    if winning and losing:
        chance = winning / (winning + losing)
        row.kelly = chance - (1.0 - chance) / (won_parts / winning / (lost_parts / losing))
    row.avg_mae, row.avg_mfe = against / count, beside / count
    row.avg_trade, row.best_trade, row.worst_trade = parts / count, best, worst
    return top / gross_profit if gross_profit > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _undefined(row: RowType) -> None:
    row.winning_trades = row.losing_trades = 0
    row.win_rate = row.profit_factor = row.expectancy = row.sqn = row.kelly = np.nan
    row.avg_trade = row.best_trade = row.worst_trade = row.avg_mae = row.avg_mfe = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _quality(mean: float, squares: float, count: int) -> float:
    """Return the system quality number of profits; squares: of their distances from the mean."""
    if count < 2:
        return np.nan
    risk = math.sqrt(max(squares, 0.0) / (count - 1))
    return math.sqrt(count) * mean / risk if risk > STILL * abs(mean) else np.nan
