"""The gate between a decision and its order: what limits forbid does not pass (docs/risk.md).

Pure: the verdict on an order depends on the limits, on what is seen, and on what is asked, and on
nothing else. Backtests, paper and live sessions ask the same function. What is not known refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from execution.gate_state import GateState, Mode
from mela.risk_limits import RiskLimits

NAN = math.nan
MINUTE_MS = 60_000
_SLACK = 1e-9  # what float64 makes of a limit that is used to the last digit


class Ask(NamedTuple):
    """An order as it would leave.

    side: +1 to buy, −1 to sell; units: above 0
    price: the level of a limit or stop order, NaN for a market order
    flattens: whether the kill switch asks, to close what is held
    """

    instrument: str
    side: float
    units: float
    price: float = NAN
    flattens: bool = False


class View(NamedTuple):
    """What is seen of the account and the market when an order is judged; NaN where unknown.

    Only what limits ask for is read; the rest may stay NaN.

    at_ms: now; price_ms: when the candle of `price` ended, both UTC milliseconds
    price: the last close of the instrument, in its quote currency, as all money here is
    position: units of the instrument held, negative for a short one
    gross, net: worth of all positions and of the orders that wait; shorts counted up, and down
    open_orders: orders that wait; buying_power: money that is free for an order
    shortable: units of the instrument that can be borrowed
    is_open: whether the market trades: 1.0, 0.0, NaN where unknown
    volume: mean volume of recent candles in units; volatility: see `recent_volatility`
    lot, tick: of the instrument
    """

    state: GateState
    at_ms: float
    price_ms: float
    price: float
    position: float = NAN
    cash: float = NAN
    gross: float = NAN
    net: float = NAN
    open_orders: float = NAN
    buying_power: float = NAN
    shortable: float = NAN
    is_open: float = NAN
    volume: float = NAN
    volatility: float = NAN
    lot: float = NAN
    tick: float = NAN


class Verdict(NamedTuple):
    """Whether an order may leave, and why.

    code: `passed`, `reduces`, `flattens`, or what refused it, as docs/risk.md lists them
    saw: the values that decided, by name
    units: what may leave: at most what was asked, and 0.0 where it was refused
    """

    allowed: bool
    code: str
    saw: dict[str, float]
    units: float


def judge(limits: RiskLimits, view: View, ask: Ask) -> Verdict:
    """Judge one order. Never raises for values, however odd: what is not a number refuses."""
    raise NotImplementedError
