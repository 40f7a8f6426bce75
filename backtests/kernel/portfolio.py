"""The walk over one account of several instruments (docs/portfolio.md explains each rule).

A step is an opening time at which some instrument has a candle. Column 0 stands before the first
step: the last warm-up candle of each instrument, whose close can order but where nothing fills.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.kernel.ledger import Walked, begin_drawdown, end_drawdown, step_drawdown
from backtests.signals import Bool, Float
from execution.account import PortfolioAccount
from execution.columns import Columns
from execution.portfolio_step import decide_step, trade_open, trade_within, value_step
from execution.positions import leave_ended
from execution.terms import Int, PortfolioTerms, kernel, rule


@kernel
def walk_portfolio(
    columns: Columns,
    opened_ms: Int,
    lasting_ms: int,
    due: Bool,
    state: np.ndarray,
    positions: np.ndarray,
    terms: PortfolioTerms,
    ends: NDArray[np.int64],
    period_equity: Float,
    drawdown: Float,
    equity: Float,
    trades: np.ndarray,
    traded: Int,
) -> Walked:
    """Execute the signals of k instruments on one account over n steps.

    opened_ms: (n + 1,) int64; lasting_ms: how long a candle lasts
    due: (n + 1,) bool, the steps at whose open all shares are to be restored
    state, positions: (1,) PORTFOLIO_ACCOUNT and (k,) POSITION, the account before column 0, written
    ends: (m,) int64, the last step of each period, counted from 0
    period_equity: (≥ m,), drawdown: (DRAWDOWN_SIZE,), equity: (n,) or (0,) float64, written
    trades: (≥ the candles of all instruments,) TRADES, their bars counted as columns; traded: of
        the same length, the instrument of each
    """
    account = state[0]
    row = period = 0
    bars = len(opened_ms) - 1
    begin_drawdown(drawdown, account.cash, float(opened_ms[1]))
    for now in range(len(opened_ms)):
        opened = opened_ms[now]
        if now > 0:
            row = trade_open(
                account, positions, columns, now, opened, due[now], terms, trades, traded, row
            )
            row = trade_within(account, positions, columns, now, opened, terms, trades, traded, row)
            ended = opened + lasting_ms
            row = leave_ended(account, positions, columns, now, ended, terms, trades, traded, row)
        value = value_step(account, positions, columns, now, opened + lasting_ms, terms)
        if now > 0:
            step_drawdown(drawdown, value, float(opened))
            if len(equity):
                equity[now - 1] = value
            if account.ruined or ends[period] == now - 1:
                period_equity[period] = value
                period += 1
            if account.ruined:
                bars = now
                break
        decide_step(account, positions, columns, now, terms)
    end_drawdown(drawdown, float(opened_ms[bars]))
    return _walked(account, positions, bars, period, trades)


@rule
def _walked(
    account: PortfolioAccount, positions: np.ndarray, bars: int, periods: int, trades: np.ndarray
) -> Walked:
    winning = losing = open_trades = 0
    slippage = borrow = 0.0
    for trade in range(account.trades):
        winning += trades[trade]["profit"] > 0.0
        losing += trades[trade]["profit"] < 0.0
        slippage += trades[trade]["slippage"]
        borrow += trades[trade]["borrow"]
    for at in range(len(positions)):
        if positions[at].units != 0.0:
            open_trades += 1
            slippage += positions[at].slippage
            borrow += positions[at].borrow
    return Walked(
        bars,
        periods,
        account.ruined != 0,
        account.trades,
        winning,
        losing,
        open_trades,
        account.exposed,
        account.ambiguous,
        account.rejected,
        account.large,
        account.fees,
        account.traded,
        slippage,
        borrow,
        account.equity,
    )
