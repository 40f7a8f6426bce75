"""The terms of a run as numbers: what compiled rules read instead of a run's models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
Compiled = TypeVar("Compiled", bound=Callable[..., Any])

NEVER = np.inf
DAY_MS = 86_400_000
YEAR_MS = 365.25 * DAY_MS
MARKET, LIMIT, STOP = 0, 1, 2
FRACTION, CASH, UNITS, RISK, ATR, VOLATILITY = 0, 1, 2, 3, 4, 5
NEARLY = 1e-9  # how far below a whole number of lots or ticks still counts as it

# Compiled code only borrows the arrays that Python passes to it, so it counts no references to them
# (_nrt=False). A count is an atomic write, there were several on each candle, and no value stays in
# a register over the call. Such code must not make arrays.
_options: Any = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}

# Every rule is inlined into the loop or the step that calls it.
rule: Any = njit(**_options, forceinline=True)


def kernel(function: Compiled) -> Compiled:
    """Compile a function that Python calls, or a part of one."""
    made: Any = njit(**_options)(function)
    return made


class Terms(NamedTuple):
    """All that a run of one instrument asks of its execution; NEVER or 0 where it does not ask.

    longs, shorts: which sides may be entered
    entry_kind: MARKET, LIMIT or STOP; offset, valid_bars: of a resting order
    tick, lot: 0.0 where nothing is rounded
    sizing_kind: FRACTION … VOLATILITY; amount: its fraction, sum, units, risk or target
    at_signal: whether the signal candle's close sizes, without the fee
    protect_delay: candles after the entry's from which protection lives
    """

    longs: bool
    shorts: bool
    entry_kind: int
    offset: float
    valid_bars: int
    fee: float
    slippage: float
    minimum_fee: float
    borrow_rate: float
    impact: float
    tick: float
    sizing_kind: int
    amount: float
    multiple: float
    max_exposure: float
    at_signal: bool
    lot: float
    stop_loss: float
    take_profit: float
    trailing_stop: float
    trailing_start: float
    time_stop: int
    cooldown: int
    protect_delay: int
    daily_loss: float


class PortfolioTerms(NamedTuple):
    """What a run asks of an account of several instruments; NEVER or 0 where it does not ask.

    drift: how far a weight may move from its target before all are restored
    """

    longs: bool
    shorts: bool
    fee: float
    slippage: float
    minimum_fee: float
    borrow_rate: float
    whole_units: bool
    stop_loss: float
    take_profit: float
    trailing_stop: float
    trailing_start: float
    cooldown: int
    protect_delay: int
    drift: float
