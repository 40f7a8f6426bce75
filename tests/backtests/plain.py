"""CONTRACT section 7 once more, in plain Python, one candle after the other.

The kernel skips from event to event; this walks as the rules read. Both use the same formulas, so
that they must agree to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mela.candles import Candles
from mela.run import Costs, Exits


@dataclass
class Account:
    """Cash, the position and everything that has happened so far."""

    cash: float
    units: float = 0.0
    entry_bar: int = -1
    entry_price: float = 0.0
    entry_fee: float = 0.0
    entry_slippage: float = 0.0
    free_from: int = 0
    ambiguous: int = 0
    exposed: int = 0
    fees: float = 0.0
    slippage: float = 0.0
    equity: list[float] = field(default_factory=list)
    trades: list[tuple] = field(default_factory=list)


def walk_plainly(
    candles: Candles,
    enter: set[int],
    exit: set[int],
    *,
    cash: float,
    costs: Costs,
    fraction: float,
    exits: Exits,
) -> Account:
    """Execute signals, given as bars, and return everything that happened."""
    account = Account(cash)
    order = None
    for bar in range(len(candles)):
        if bar >= candles.start_bar:
            if order == "buy":
                _buy(account, bar, float(candles.open[bar]), costs, fraction)
            elif order == "sell":
                _sell(account, bar, float(candles.open[bar]), "signal", costs, exits)
            if account.units:
                _protect(account, bar, candles, costs, exits)
            account.equity.append(account.cash + account.units * float(candles.close[bar]))
            account.exposed += account.units > 0
        order = None
        if account.units:
            order = "sell" if bar in exit else None
        elif bar in enter and bar not in exit and bar >= account.free_from:
            order = "buy"
    return account


def _buy(account: Account, bar: int, opened: float, costs: Costs, fraction: float) -> None:
    price = opened * (1 + costs.slippage)
    account.units = fraction * account.cash / (price * (1 + costs.fee))
    account.entry_bar, account.entry_price = bar, price
    account.entry_fee = account.units * price * costs.fee
    account.cash -= account.units * price + account.entry_fee
    account.fees += account.entry_fee
    account.entry_slippage = account.units * (price - opened)
    account.slippage += account.entry_slippage


def _sell(
    account: Account, bar: int, level: float, reason: str, costs: Costs, exits: Exits
) -> None:
    price = level if reason == "take_profit" else level * (1 - costs.slippage)
    slippage = account.units * (level - price)
    fee = account.units * price * costs.fee
    earned = account.units * price - fee
    spent = account.units * account.entry_price + account.entry_fee
    account.cash += earned
    account.fees += fee
    fills = account.entry_bar, bar, account.units, account.entry_price, price
    costly = account.entry_slippage + slippage
    account.trades.append((*fills, account.entry_fee + fee, earned - spent, reason, costly, 0.0))
    account.slippage += slippage
    account.units = 0.0
    account.free_from = bar + exits.cooldown_bars


def _protect(account: Account, bar: int, candles: Candles, costs: Costs, exits: Exits) -> None:
    entering = bar == account.entry_bar
    if entering and exits.protect_from == "next":
        return
    opened, high, low = (float(c[bar]) for c in (candles.open, candles.high, candles.low))
    stop = target = None
    if exits.stop_loss is not None:
        stop = account.entry_price * (1 - exits.stop_loss)
    if exits.take_profit is not None:
        target = account.entry_price * (1 + exits.take_profit)
    if stop is not None and low <= stop:
        if target is not None and high >= target and opened > stop:
            account.ambiguous += 1
        price = opened if opened <= stop and not entering else stop
        _sell(account, bar, price, "stop_loss", costs, exits)
    elif target is not None and high >= target:
        price = opened if opened >= target and not entering else target
        _sell(account, bar, price, "take_profit", costs, exits)
