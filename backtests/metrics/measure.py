"""Compute all metrics of a run from its walk, in one compiled call."""

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
from mela.metrics import Metrics

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
    """Return a run's metrics, and the share of its largest profit in all profits above 0.

    account, fall, fills: as the walk wrote them; cash, fee, slippage: the run's
    benchmark: (m,) float64, returns of buy and hold; bounds: (17,) int64, of `block_bounds`
    per_year, years, first_open, last_close: of the span
    returns, scratch: (≥ m,) float64, written; blocks: (3, 16) float64, written by `block_sums`
    """
    own = returns[: walked.periods]
    period_returns(account[: walked.periods], cash, own)
    measured = measure_returns(own, benchmark, per_year, scratch)
    block_sums(own, bounds, blocks)
    trades = measure_trades(fills, walked.trades)
    rate, deepest, episodes = cagr(walked.final, cash, years), fall[WORST], fall[EPISODES]
    win_rate, average = np.nan, np.nan
    if walked.trades:
        win_rate = walked.winning / walked.trades
    if episodes > 0.0:
        average = fall[DEPTHS] / episodes
    # no branches among the arguments: Numba takes so many only like this
    metrics = Metrics(
        total_return=walked.final / cash - 1.0,
        final_equity=walked.final,
        cagr=rate,
        volatility_ann=measured.volatility_ann,
        sharpe=measured.sharpe,
        sortino=measured.sortino,
        max_drawdown=deepest,
        exposure_time=walked.exposed / walked.bars,
        trades=walked.trades,
        winning_trades=walked.winning,
        losing_trades=walked.losing,
        win_rate=win_rate,
        open_trades=walked.open_trades,
        fees_paid=walked.fees,
        ambiguous_bars=walked.ambiguous,
        buy_hold_return=buy_hold_return(first_open, last_close, fee, slippage),
        calmar=calmar(rate, deepest),
        omega=measured.omega,
        max_drawdown_days=fall[LONGEST_MS] / DAY_MS,
        avg_drawdown=average,
        profit_factor=trades.profit_factor,
        expectancy=trades.expectancy,
        sqn=trades.sqn,
        kelly=trades.kelly,
        avg_trade=trades.avg_trade,
        best_trade=trades.best_trade,
        worst_trade=trades.worst_trade,
        slippage_paid=walked.slippage,
        alpha=measured.alpha,
        beta=measured.beta,
        var_95=measured.var_95,
        cvar_95=measured.cvar_95,
        tail_ratio=measured.tail_ratio,
        skew=measured.skew,
        kurtosis=measured.kurtosis,
        turnover=turnover(walked.traded, cash * measured.mean_growth, years),
        psr=measured.psr,
        filled_bars=0,  # no candle is ever filled in
        rejected_orders=walked.rejected,
        large_fills=walked.large,
        borrow_paid=walked.borrow,
    )
    return metrics, trades.top_share
