"""The walk of all rules over one instrument, candle by candle (docs/execution.md explains each)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.kernel.ledger import Walked, begin_drawdown, end_drawdown, step_drawdown
from backtests.signals import Bool, Float
from execution.account import Account
from execution.candle_step import Candle, Decision, decide, trade_candle, value_candle
from execution.terms import Terms, kernel, rule


# Half of its lines are arguments: a tuple of arrays would cost each call the look-up of its type.
@kernel
def walk_bars(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    volume: Float,
    opened_ms: NDArray[np.int64],
    lasting_ms: int,
    quiet_from: int,
    enter: Bool,
    exit_: Bool,
    enter_short: Bool,
    exit_short: Bool,
    measure: Float,
    strength: Float,
    stop_level: Float,
    target_level: Float,
    exit_price: Float,
    start: int,
    state: np.ndarray,
    terms: Terms,
    ends: NDArray[np.int64],
    period_equity: Float,
    drawdown: Float,
    equity: Float,
    trades: np.ndarray,
) -> Walked:
    """Execute signals on candles by all rules; shapes as in `walk_events`, and.

    lasting_ms: how long a candle lasts; a borrowed position is charged to its end
    quiet_from: the first bar from which candles without volume fill nothing
    measure: (n,) float64, what the sizing measures on each close; of length 0 where it does not
    strength: (n,) float64, scales the size of an entry decided on each close
    stop_level, target_level: (n,) float64, levels given on each close for the candle after it, NaN
        for none
    exit_price: (n,) float64, the limit of an exit ordered on each close, NaN for none; of these
        four each is of length 0 where the strategy does not give it
    state: (1,) ACCOUNT, the account before bar max(start - 1, 0), written
    trades: (≥ n - start + 1,) TRADES
    """
    account = state[0]
    row = period = 0
    bars = len(close) - start
    begin_drawdown(drawdown, account.cash, float(opened_ms[start]))
    for bar in range(max(start - 1, 0), len(close)):
        if bar >= start:
            candle = Candle(
                opened_ms[bar],
                opened_ms[bar] + lasting_ms,
                open_[bar],
                high[bar],
                low[bar],
                close[bar],
                volume[bar],
                bar < quiet_from or volume[bar] > 0.0,
            )
            row = trade_candle(account, candle, terms, trades, row)
            value = value_candle(account, candle, terms)
            step_drawdown(drawdown, value, float(candle.opened_ms))
            if len(equity):
                equity[bar - start] = value
            if account.ruined or ends[period] == bar - start:
                period_equity[period] = value
                period += 1
            if account.ruined:
                bars = bar + 1 - start
                break
        decision = Decision(
            enter[bar],
            exit_[bar],
            enter_short[bar],
            exit_short[bar],
            measure[bar] if len(measure) else 0.0,
            strength[bar] if len(strength) else 1.0,
            stop_level[bar] if len(stop_level) else np.nan,
            target_level[bar] if len(target_level) else np.nan,
            exit_price[bar] if len(exit_price) else np.nan,
        )
        decide(account, close[bar], decision, terms)
    end_drawdown(drawdown, float(opened_ms[start + bars - 1]))
    return _walked(account, bars, period)


@rule
def _walked(account: Account, bars: int, periods: int) -> Walked:
    is_open = account.side != 0.0
    return Walked(
        bars,
        periods,
        account.ruined != 0,
        account.trades,
        account.winning,
        account.losing,
        int(is_open),
        account.exposed,
        account.ambiguous,
        account.rejected,
        account.large,
        account.fees,
        account.traded,
        account.slippage + (account.position_slippage if is_open else 0.0),
        account.borrow + (account.position_borrow if is_open else 0.0),
        account.equity,
    )
