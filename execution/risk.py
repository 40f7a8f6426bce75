"""Limits of an account: what an entry may cost, and how much a day may lose."""

from __future__ import annotations

from execution.account import Account
from execution.costs import fee_of
from execution.terms import DAY_MS, Terms, rule
from execution.trades import DAILY_LOSS


@rule
def can_afford(
    units: float, fill_price: float, signal_close: float, cash: float, terms: Terms
) -> bool:
    """Tell whether the account can bear an entry and its fee.

    At most max_exposure times the equity, but never less than all of it, can be put to work. If the
    signal's close sizes the order, Backtrader also checks at that price when the order is
    submitted.
    """
    if not units > 0.0 or not fill_price > 0.0:
        return False
    power = cash * max(terms.max_exposure, 1.0)
    slack = 1e-12 * abs(power)  # a whole account spent to the last digit is not too much
    if terms.at_signal:
        fee = fee_of(units, signal_close, terms.costs.fee, terms.costs.minimum_fee)
        if units * signal_close + fee > power + slack:
            return False
    fee = fee_of(units, fill_price, terms.costs.fee, terms.costs.minimum_fee)
    return units * fill_price + fee <= power + slack


@rule
def begin_day(account: Account, opened_ms: int) -> None:
    """Measure the day's loss anew, and lift its lock, on the first candle of a day (UTC)."""
    day = opened_ms // DAY_MS
    if day != account.day:
        account.day = day
        account.day_equity = account.equity
        account.locked = 0


@rule
def limit_daily_loss(account: Account, terms: Terms) -> None:
    """Close the position and lock the account for the day where the day has lost too much."""
    if account.equity <= account.day_equity * (1.0 - terms.exits.daily_loss):
        account.locked = 1
        account.order_side = 0.0
        if account.side != 0.0:
            order_market_exit(account, DAILY_LOSS)


@rule
def order_market_exit(account: Account, why: int) -> None:
    """Order an exit at the next open, unless one is ordered; a limit that rests gives way."""
    if account.exit_reason == 0 or account.bar < account.exit_expires:
        account.exit_reason = why
        account.exit_expires = 0
