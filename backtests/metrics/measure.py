"""Compute all metrics of a run from its walk, in one compiled call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.ledger import DEPTHS, EPISODES, LONGEST_MS, WORST, Walked
from backtests.metrics.blocks import block_sums
from backtests.metrics.growth import buy_hold_return, cagr, calmar, turnover
from backtests.metrics.periods import period_returns
from backtests.metrics.returns import measure_returns
from backtests.metrics.row import RowType
from backtests.metrics.trades import measure_trades
from mela.interval import DAY_MS

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Facts(NamedTuple):
    """The facts about a run's terms and span that metrics need. Rates are per period."""

    cash: float
    fee: float
    slippage: float
    risk_free: float
    required: float
    per_year: float
    years: float
    first_open: float
    last_close: float


@njit(cache=True, nogil=True, error_model="numpy")
def measure(
    walked: Walked,
    facts: tuple[float, ...],
    account: Float,
    drawdown: Float,
    fills: np.ndarray,
    benchmark: Float,
    bounds: Int,
    space: Float,
    blocks: Float,
    rows: np.ndarray,
) -> float:
    """Write a run's metrics; return the share of its largest profit in all profits above 0.

    facts: as `backtests.run_facts` gives them
    account, drawdown, fills: as the walk wrote them
    benchmark: (m,) float64, returns of buy and hold; bounds: (17,) int64, of `block_bounds`
    space: (2, ≥ m) float64, written: the run's returns, and room to sort them
    blocks: (3, 16) float64, written by `block_sums`; rows: (1,) ROW, written, every field of it
    """
    row, known = rows[0], Facts(*facts)
    own = space[0, : walked.periods]
    period_returns(account[: walked.periods], known.cash, own)
    block_sums(own, known.risk_free, bounds, blocks)
    growth = measure_returns(
        own,
        benchmark,
        (known.per_year, known.risk_free, known.required),
        space[1],
        row,
    )
    top_share = measure_trades(fills, walked.trades, row)
    _measure_walk(walked, row)
    _measure_fall(drawdown, row)
    _measure_growth(walked, known, growth, row)
    return top_share


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_walk(walked: Walked, row: RowType) -> None:
    """Write what the walk has counted itself."""
    row.exposure_time = walked.exposed / walked.bars
    row.open_trades = walked.open_trades
    row.ambiguous_bars = walked.ambiguous
    row.filled_bars = 0  # no candle is ever filled in
    row.rejected_orders = walked.rejected
    row.large_fills = walked.large
    row.fees_paid = walked.fees
    row.slippage_paid = walked.slippage
    row.borrow_paid = walked.borrow


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_fall(drawdown: Float, row: RowType) -> None:
    """Write what the walk tells of falls below the running peak."""
    episodes = drawdown[EPISODES]
    row.max_drawdown = drawdown[WORST]
    row.max_drawdown_days = drawdown[LONGEST_MS] / DAY_MS
    row.avg_drawdown = drawdown[DEPTHS] / episodes if episodes > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_growth(walked: Walked, facts: Facts, mean: float, row: RowType) -> None:
    """Write what the ends of the run tell.

    mean: of equity at the ends of periods, the opening cash being 1
    """
    row.total_return = walked.final / facts.cash - 1.0
    row.final_equity = walked.final
    row.cagr = cagr(walked.final, facts.cash, facts.years)
    row.calmar = calmar(row.cagr, row.max_drawdown)
    row.turnover = turnover(walked.traded, facts.cash * mean, facts.years)
    row.buy_hold_return = buy_hold_return(
        facts.first_open, facts.last_close, facts.fee, facts.slippage
    )
