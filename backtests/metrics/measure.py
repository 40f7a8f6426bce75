"""From what a walk has written to the metrics of a run, in one compiled call."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.ledger import DEPTHS, EPISODES, LONGEST_MS, WORST, Walked
from backtests.metrics.blocks import block_sums
from backtests.metrics.growth import buy_hold_return, cagr, calmar, turnover
from backtests.metrics.periods import period_returns
from backtests.metrics.returns import measure_returns
from backtests.metrics.trades import measure_trades
from mela.interval import DAY_MS
from mela.result import Metrics

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def measure(
    walked: Walked,
    cash: float,
    fee: float,
    slippage: float,
    account: Float,
    fall: Float,
    fills: np.ndarray,
    benchmark: Float,
    bounds: Int,
    per_year: float,
    years: float,
    first_open: float,
    last_close: float,
    returns: Float,
    scratch: Float,
    blocks: Float,
) -> tuple[Metrics, float]:
    """Return the metrics of a run, and its largest profit as a share of all profits above 0.

    account, fall, fills: as the walk wrote them; cash, fee, slippage: the run's
    benchmark: (m,) float64, returns of buy and hold; bounds: (17,) int64, of `block_bounds`
    per_year, years, first_open, last_close: of the span
    returns, scratch: (≥ m,) float64, written; blocks: (3, 16) float64, written by `block_sums`
    """
    told_of = returns[: walked.periods]
    period_returns(account[: walked.periods], cash, told_of)
    told = measure_returns(told_of, benchmark, per_year, scratch)
    block_sums(told_of, bounds, blocks)
    trades = measure_trades(fills, walked.trades)
    rate, deepest, episodes = cagr(walked.final, cash, years), fall[WORST], fall[EPISODES]
    win_rate, average = np.nan, np.nan
    if walked.trades:
        win_rate = walked.winning / walked.trades
    if episodes > 0.0:
        average = fall[DEPTHS] / episodes
    # no branches among the arguments, and no names: Numba takes so many only like this
    metrics = Metrics(
        walked.final / cash - 1.0,
        walked.final,
        rate,
        told.volatility_ann,
        told.sharpe,
        told.sortino,
        deepest,
        walked.exposed / walked.bars,
        walked.trades,
        walked.winning,
        walked.losing,
        win_rate,
        walked.open_trades,
        walked.fees,
        walked.ambiguous,
        buy_hold_return(first_open, last_close, fee, slippage),
        calmar(rate, deepest),
        told.omega,
        fall[LONGEST_MS] / DAY_MS,
        average,
        trades.profit_factor,
        trades.expectancy,
        trades.sqn,
        trades.kelly,
        trades.avg_trade,
        trades.best_trade,
        trades.worst_trade,
        walked.slippage,
        told.alpha,
        told.beta,
        told.var_95,
        told.cvar_95,
        told.tail_ratio,
        told.skew,
        told.kurtosis,
        turnover(walked.traded, cash * told.mean_growth, years),
        told.psr,
        0,  # no candle is ever filled in
        walked.rejected,
        walked.large,
        walked.borrow,
    )
    return metrics, trades.top_share
