"""Metrics of a run's first and last equity: yearly growth, and turnover."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def cagr(final_equity: float, cash: float, years: float) -> float:
    """Return the yearly growth rate; NaN for a final equity ≤ 0 or a rate beyond a double."""
    if final_equity <= 0.0:
        return np.nan
    rate = (final_equity / cash) ** (1.0 / years) - 1.0
    return rate if math.isfinite(rate) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def calmar(rate: float, max_drawdown: float) -> float:
    """Return cagr / |max_drawdown|; NaN where equity never fell or the rate is undefined.

    Source: Young, "Calmar Ratio: A Smoother Tool", Futures 20 (1991); over the whole span instead
    of his 36 months.
    """
    if not max_drawdown < 0.0:
        return np.nan
    ratio = rate / -max_drawdown
    return ratio if math.isfinite(ratio) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def turnover(traded: float, mean_equity: float, years: float) -> float:
    """Return how often a year the account was traded: notional of all fills / mean equity / years.

    traded: quote currency, purchases and sales both counted, an open position's entry included
    mean_equity: over the ends of the periods, in quote currency
    returns: NaN for a mean equity ≤ 0
    """
    if not mean_equity > 0.0:
        return np.nan
    rate = traded / mean_equity / years
    return rate if math.isfinite(rate) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def buy_hold_return(first_open: float, last_close: float, fee: float, slippage: float) -> float:
    """Return what all cash, put in at the first open with costs, has gained at the last close.

    >>> buy_hold_return(100.0, 150.0, fee=0.0, slippage=0.25)
    0.19999999999999996
    """
    return last_close / (first_open * (1.0 + slippage) * (1.0 + fee)) - 1.0
