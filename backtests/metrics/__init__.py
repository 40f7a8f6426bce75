"""The metrics of a run (docs/metrics.md): fractions, NaN where undefined.

Compiled by Numba, summed oldest first and in one order, so that equal curves give equal bits.
Nothing here needs the whole equity curve: returns are of periods, trades are rows,
and a drawdown is carried from value to value.
"""

from backtests.metrics.blocks import BLOCKS, block_bounds, block_sums
from backtests.metrics.drawdowns import drawdowns, max_drawdown
from backtests.metrics.growth import buy_hold_return, cagr, calmar, turnover
from backtests.metrics.periods import (
    benchmark_returns,
    ends_of_periods,
    has_utc_days,
    period_ends,
    period_returns,
    periods_per_year,
    rate_per_period,
    years,
)
from backtests.metrics.quantiles import quantile, select
from backtests.metrics.returns import (
    deviation,
    measure_returns,
    sharpe,
    sortino,
)
from backtests.metrics.row import metrics_of, new_rows
from backtests.metrics.trades import measure_trades

__all__ = [
    "BLOCKS",
    "benchmark_returns",
    "block_bounds",
    "block_sums",
    "buy_hold_return",
    "cagr",
    "calmar",
    "deviation",
    "drawdowns",
    "ends_of_periods",
    "has_utc_days",
    "max_drawdown",
    "measure_returns",
    "measure_trades",
    "metrics_of",
    "new_rows",
    "period_ends",
    "period_returns",
    "periods_per_year",
    "quantile",
    "rate_per_period",
    "select",
    "sharpe",
    "sortino",
    "turnover",
    "years",
]
