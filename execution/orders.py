"""Orders: which side a close orders, and where resting entries and exits fill."""

from __future__ import annotations

import numpy as np

from execution.account import Account
from execution.terms import LIMIT, Terms, rule


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
