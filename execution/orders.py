"""Orders: which side a close orders, how much, and where resting entries and exits fill."""

from __future__ import annotations

import numpy as np

from execution.account import Account
from execution.costs import market_price, on_tick, worse_tick
from execution.sizing import entry_units
from execution.terms import LIMIT, MARKET, Terms, rule


@rule
def side_ordered(
    enter: bool, exit_: bool, enter_short: bool, exit_short: bool, terms: Terms
) -> float:
    """Return the side that a flat account orders: +1, −1, or 0 for none or for both."""
    long = terms.longs and enter and not exit_
    short = terms.shorts and enter_short and not exit_short
    if long == short:
        return 0.0
    return 1.0 if long else -1.0


@rule
def resting_level(signal_close: float, side: float, terms: Terms) -> float:
    """Return the level of a resting entry, before it is put on a tick."""
    away = -1.0 if terms.entry_kind == LIMIT else 1.0
    return signal_close * (1.0 + away * side * terms.offset)


@rule
def entry_ordered(
    account: Account, worth: float, close: float, side: float, terms: Terms
) -> tuple[float, float, float]:
    """Return the units, the price and the level of the entry that an account has ordered.

    worth: what is sized on; close: the last one
    The units are those that a fill at this close (a market order) or at its level would have; 0.0
    where it must be rejected. The level is NaN for a market order.
    """
    level, reference = np.nan, close
    if terms.entry_kind != MARKET:
        level = reference = on_tick(resting_level(account.order_close, side, terms), terms.tick)
    if terms.entry_kind == LIMIT:
        price = worse_tick(reference, terms.tick, side)
    else:
        price = market_price(reference, 0.0, 0.0, side, terms)
    units = entry_units(
        worth, price, account.order_close, account.order_measure, account.order_strength, terms
    )
    return units, price, level


@rule
def resting_fill(
    open_: float, high: float, low: float, side: float, level: float, kind: int
) -> tuple[bool, float, bool]:
    """Tell whether an entry fills on a candle, at which reference price, and if at its open."""
    opens, best, worst = (open_, high, low) if side > 0.0 else (-open_, -low, -high)
    at = side * level
    if kind == LIMIT:
        if opens <= at:
            return True, open_, True
        return worst <= at, level, False
    if opens >= at:
        return True, open_, True
    return best >= at, level, False


@rule
def resting_exit(account: Account) -> float:
    """Return where the limit of an exit rests on the next candle, NaN for none."""
    if account.exit_reason != 0 and account.bar <= account.exit_expires:
        return account.exit_level
    return np.nan
