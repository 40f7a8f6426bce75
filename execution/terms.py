"""The terms of a run as numbers: what compiled rules read instead of a run's models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.execution_terms import MOST_TARGETS, Costs, Exits

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
Gains = Annotated[tuple[float, ...], MOST_TARGETS]  # as many numbers, used or not
Ages = Annotated[tuple[int, ...], MOST_TARGETS]
Compiled = TypeVar("Compiled", bound=Callable[..., Any])

NEVER = np.inf
NO_TIME_STOP = 2**62
MOST_CANDLES = 2**40  # more than any series has, and sums of it and a bar do not overflow
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


def kernel_of_numbers(function: Compiled) -> Compiled:
    """Compile a function that meets no NaN: extremes then take one instruction, and no branch."""
    made: Any = njit(**_options, fastmath={"nnan"})(function)
    return made


class CostTerms(NamedTuple):
    """The costs of fills and borrowed units; the defaults cost nothing."""

    fee: float = 0.0
    slippage: float = 0.0
    minimum_fee: float = 0.0
    borrow_rate: float = 0.0
    impact: float = 0.0


class ExitTerms(NamedTuple):
    """The exits besides the strategy's own; NEVER or 0 if a run does not ask for one.

    targets: how many steps a target has that changes with time; 0 where it does not. From
        target_ages[i] candles after the entry's on it lies target_gains[i] from the entry
    limit_offset, limit_bars: of the limit that an exit signal gives
    protect_delay: candles after the entry's from which protection lives
    """

    stop_loss: float = NEVER
    take_profit: float = NEVER
    targets: int = 0
    target_ages: Ages = (0,) * MOST_TARGETS
    target_gains: Gains = (NEVER,) * MOST_TARGETS
    limit_offset: float = NEVER
    limit_bars: int = 1
    trailing_stop: float = NEVER
    trailing_start: float = 0.0
    time_stop: int = NO_TIME_STOP
    daily_loss: float = NEVER
    cooldown: int = 0
    protect_delay: int = 0


class Terms(NamedTuple):
    """All that a run of one instrument asks of its execution; the defaults ask nothing.

    longs, shorts: which sides may be entered
    entry_kind: MARKET, LIMIT or STOP; offset, valid_bars: of a resting order
    tick, lot: 0.0 where nothing is rounded
    sizing_kind: FRACTION … VOLATILITY; amount: its fraction, sum, units, risk or target
    at_signal: whether the signal candle's close sizes, without the fee
    """

    longs: bool = True
    shorts: bool = False
    entry_kind: int = MARKET
    offset: float = 0.0
    valid_bars: int = 0
    tick: float = 0.0
    sizing_kind: int = FRACTION
    amount: float = 1.0
    multiple: float = 0.0
    max_exposure: float = 1.0
    at_signal: bool = False
    lot: float = 0.0
    costs: CostTerms = CostTerms()
    exits: ExitTerms = ExitTerms()


class PortfolioTerms(NamedTuple):
    """The terms of an account of several instruments; the defaults ask nothing.

    drift: how far a weight may move from its target before all are restored
    """

    longs: bool = True
    shorts: bool = False
    whole_units: bool = False
    drift: float = NEVER
    costs: CostTerms = CostTerms()
    exits: ExitTerms = ExitTerms()


def cost_terms(costs: Costs) -> CostTerms:
    """Return what a run's costs ask as numbers, of one instrument as of several."""
    return CostTerms(
        fee=float(costs.fee),
        slippage=float(costs.slippage),
        minimum_fee=float(costs.minimum_fee),
        borrow_rate=float(costs.borrow_rate or 0.0),
        impact=float(costs.impact),
    )


def exit_terms(exits: Exits) -> ExitTerms:
    """Return what a run's exits ask as numbers, of one instrument as of several."""
    steps = exits.targets or ()
    unused = MOST_TARGETS - len(steps)
    return ExitTerms(
        stop_loss=_or_never(exits.stop_loss),
        take_profit=_or_never(exits.take_profit),
        targets=len(steps),
        target_ages=(*(min(step.after, MOST_CANDLES) for step in steps), *(0,) * unused),
        target_gains=(*(float(step.gain) for step in steps), *(NEVER,) * unused),
        limit_offset=_or_never(exits.limit_offset),
        limit_bars=min(exits.limit_bars, MOST_CANDLES),
        trailing_stop=_or_never(exits.trailing_stop),
        trailing_start=float(exits.trailing_start),
        time_stop=exits.time_stop_bars or NO_TIME_STOP,
        daily_loss=_or_never(exits.daily_loss_limit),
        cooldown=min(exits.cooldown_bars, MOST_CANDLES),
        protect_delay=0 if exits.protect_from == "entry" else 1,
    )


def _or_never(level: float | None) -> float:
    return NEVER if level is None else float(level)
