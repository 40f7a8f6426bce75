"""Prices, sizes and levels of single orders: small functions that the walk of all rules calls.

`side` is +1 for a long position and −1 for a short one; a buy is an order of side +1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from backtests.kernel.ledger import NEVER, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP

MARKET, LIMIT, STOP = 0, 1, 2
HELD, AT_OPEN, BY_LIMIT, BY_STOP = 0, 1, 2, 3  # how a position came to a candle, see `leave`
FRACTION, CASH, UNITS, RISK, ATR, VOLATILITY = 0, 1, 2, 3, 4, 5
_NEARLY = 1e-9  # how far below a whole number of lots or ticks still counts as it


class Terms(NamedTuple):
    """All that a run asks of its execution, as numbers; NEVER or 0 where it does not ask.

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
    time_stop: int
    cooldown: int
    protect_delay: int
    daily_loss: float


@njit(cache=True, nogil=True, error_model="numpy")
def on_tick(level: float, tick: float) -> float:
    """Return the tick that is nearest to the level of a resting order."""
    if tick == 0.0 or not abs(level) < NEVER:
        return level
    return math.floor(level / tick + 0.5) * tick


@njit(cache=True, nogil=True, error_model="numpy")
def against(price: float, tick: float, side: float) -> float:
    """Return the next tick that is no better than a price: above for a buy, below for a sell."""
    if tick == 0.0:
        return price
    if side > 0.0:
        return math.ceil(price / tick - _NEARLY) * tick
    return math.floor(price / tick + _NEARLY) * tick


@njit(cache=True, nogil=True, error_model="numpy")
def filled_at(raw: float, units: float, volume: float, side: float, terms: Terms) -> float:
    """Return the price of an order that takes the market: slippage, impact, then the tick.

    However much is sold, nobody has to pay for giving it away: it is 0 at least.
    """
    price = raw * (1.0 + side * terms.slippage)
    if terms.impact > 0.0 and volume > 0.0:
        price *= max(1.0 + side * terms.impact * math.sqrt(units / volume), 0.0)
    return against(price, terms.tick, side)


@njit(cache=True, nogil=True, error_model="numpy")
def fee_of(units: float, price: float, terms: Terms) -> float:
    """Return the fee of a fill."""
    return max(units * price * terms.fee, terms.minimum_fee)


@njit(cache=True, nogil=True, error_model="numpy")
def _bought_for(budget: float, at: float, terms: Terms) -> float:
    """Return the units that a sum buys, the fee inside it; without the fee at a signal's close."""
    if terms.at_signal:
        return budget / at
    units = budget / (at * (1.0 + terms.fee))
    if terms.minimum_fee > 0.0:
        units = min(units, (budget - terms.minimum_fee) / at)
    return units


@njit(cache=True, nogil=True, error_model="numpy")
def units_for(
    cash: float, price: float, said: float, gauge: float, strength: float, terms: Terms
) -> float:
    """Return how many units an entry trades; 0 where it must be rejected.

    cash: all there is, as nothing is held; price: the fill's, slippage included
    said: the close of the signal's candle; gauge: its average true range or yearly volatility
    strength: scales the amount that the sizing asks for
    """
    amount = terms.amount * strength
    at = said if terms.at_signal else price
    kind = terms.sizing_kind
    measures = kind in (RISK, ATR, VOLATILITY)
    if kind == FRACTION:
        units = _bought_for(amount * cash, at, terms)
    elif kind == CASH:
        units = _bought_for(amount, at, terms)
    elif kind == UNITS:
        units = amount
    elif kind == RISK:
        units = amount * cash / (at * terms.stop_loss)
    elif kind == ATR:
        units = amount * cash / (terms.multiple * gauge)
    else:
        units = amount * cash / (gauge * at)
    if measures and not 0.0 < units < NEVER:
        return 0.0  # nothing is known of the market's moves yet, or it has none
    if measures or terms.max_exposure < 1.0:
        units = min(units, _bought_for(terms.max_exposure * cash, at, terms))
    if terms.lot > 0.0:
        units = math.floor(units / terms.lot + _NEARLY) * terms.lot
    return units if units > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def affords(units: float, price: float, said: float, cash: float, terms: Terms) -> bool:
    """Tell whether the account can bear an entry; the fee counts.

    At most max_exposure times the equity, but never less than all of it, can be put to work. Where
    the signal's close sizes, Backtrader asks at that price as well, when the order is submitted.
    """
    if not units > 0.0 or not price > 0.0:
        return False
    power = cash * max(terms.max_exposure, 1.0)
    slack = 1e-12 * abs(power)  # a whole account spent to the last digit is not too much
    if terms.at_signal and units * said + fee_of(units, said, terms) > power + slack:
        return False
    return units * price + fee_of(units, price, terms) <= power + slack


@njit(cache=True, nogil=True, error_model="numpy")
def tighter_stop(stop: float, level: float, side: float, entered: float) -> float:
    """Return the tighter of a position's stop and the level that its strategy gave.

    level: NaN for none
    entered: the raw price of an entry on this candle, else NaN. A level that the entry has passed
        already says nothing on this candle; on the next one the position is closed at the open.
    """
    if side * level >= side * entered or not side * level > side * stop:
        return stop
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def nearer_target(target: float, level: float, side: float, entered: float) -> float:
    """Return the nearer of a position's target and the level that its strategy gave.

    level, entered: as in `tighter_stop`
    """
    if side * level <= side * entered or not side * level < side * target:
        return target
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def leave(
    open_: float,
    high: float,
    low: float,
    close: float,
    side: float,
    stop: float,
    trail: float,
    target: float,
    came: int,
) -> tuple[int, float, bool]:
    """Return why a candle ends a position (0: it does not), the raw price, and if it was both.

    stop, trail, target: levels; on a long position's side the tighter of the first two counts
    came: HELD before the candle; or entered on it, AT_OPEN, or inside it BY_LIMIT or BY_STOP. Only
        a position held fills at the open. Of a candle that was entered inside, what came before
        the entry is not asked where the entry tells: a limit was reached from the better side, so
        that the best is the close at least; a stop was reached from the worse side, so that a low
        below a level that lay above the open says nothing, and the close is asked.
    """
    # a short position is a long one on prices turned upside down
    opens, best, worst = (open_, high, low) if side > 0.0 else (-open_, -low, -high)
    floor = max(side * stop, side * trail)
    goal = side * target
    why = TRAILING_STOP if side * trail > side * stop else STOP_LOSS
    if came == BY_LIMIT:
        best = side * close
    if came == BY_STOP and opens <= floor:
        worst = side * close
    if came == HELD and opens <= floor:
        return why, open_, False
    if worst <= floor:
        return why, side * floor, best >= goal and (opens > floor or came == BY_STOP)
    if came == HELD and opens >= goal:
        return TAKE_PROFIT, open_, False
    if best >= goal:
        return TAKE_PROFIT, side * goal, False
    return 0, 0.0, False


@njit(cache=True, nogil=True, error_model="numpy")
def reached(
    open_: float, high: float, low: float, side: float, level: float, kind: int
) -> tuple[bool, float, bool]:
    """Tell whether a resting entry fills on a candle, at which raw price, and if at its open."""
    opens, best, worst = (open_, high, low) if side > 0.0 else (-open_, -low, -high)
    at = side * level
    if kind == LIMIT:
        if opens <= at:
            return True, open_, True
        return worst <= at, level, False
    if opens >= at:
        return True, open_, True
    return best >= at, level, False
