"""The ledger of a stepped account: its period ends and its drawdown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.kernel.ledger import begin_drawdown, end_drawdown, step_drawdown
from backtests.signals import Float
from execution.terms import kernel


@kernel
def write_ends(
    equity: Float,
    opened_ms: NDArray[np.int64],
    ends: NDArray[np.int64],
    ruined: bool,
    cash: float,
    period_equity: Float,
    drawdown: Float,
) -> int:
    """Write the equity at each period's end and the drawdown; return how many periods ended.

    equity, opened_ms: (n,), of the candles that were stepped
    ends: (m,) int64, the last candle of each period; a ruined account's last candle ends one too
    """
    begin_drawdown(drawdown, cash, float(opened_ms[0]))
    period, last = 0, len(equity) - 1
    for bar in range(len(equity)):
        step_drawdown(drawdown, equity[bar], float(opened_ms[bar]))
        if (ruined and bar == last) or ends[period] == bar:
            period_equity[period] = equity[bar]
            period += 1
    end_drawdown(drawdown, float(opened_ms[last]))
    return period
