"""How the rules are compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from execution.account import begin_account
from execution.candle_step import Candle, trade_candle
from execution.terms import Float, Terms, kernel
from execution.trades import TRADES
from tests.execution.test_stepper import PLAIN


@kernel
def trade_all(state: np.ndarray, opens: Float, terms: Terms, trades: np.ndarray) -> int:
    row = 0
    for bar in range(len(opens)):
        price = opens[bar]
        candle = Candle(bar, bar + 1, price, price, price, price, 1.0, True)
        row = trade_candle(state[0], candle, terms, trades, row)
    return row


def test_a_kernel_and_its_rules_count_no_references() -> None:
    options = {name: one for name, one in trade_all.targetoptions.items() if name != "nopython"}
    fresh = njit(**options)(trade_all.py_func)  # what comes from the cache cannot be looked at

    assert fresh(begin_account(1_000.0), np.ones(3), PLAIN, np.zeros(4, TRADES)) == 0

    (text,) = fresh.inspect_llvm().values()
    assert "define" in text
    assert "NRT_incref" not in text
