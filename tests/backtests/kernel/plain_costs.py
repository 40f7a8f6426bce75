"""Sizes, prices and costs of fills in plain Python, as docs/execution.md states them."""

from __future__ import annotations

import math

from mela.candles import Candles
from mela.run import Run
from tests.backtests.kernel.plain_state import DAY_MS, SHORT, YEAR_MS, Account, Order


def end_of(candles: Candles, bar: int) -> int:
    return int(candles.opened_ms[bar]) + candles.interval.fixed_ms


def size(account: Account, order: Order, price: float) -> float:
    """Return the units that an entry is for, 0 if that is not known."""
    run, sizing, cash = account.run, account.run.sizing, account.cash
    at_signal = sizing.sized_at == "signal"
    signal_close = float(account.candles.close[order.bar])
    at = signal_close if at_signal else price
    if at <= 0:  # so much impact that nothing is left of the price
        return 0.0

    def bought_for(budget: float) -> float:
        if at_signal:
            return budget / at
        by_rate = budget / (at * (1 + run.costs.fee))
        if not run.costs.minimum_fee:
            return by_rate
        return min(by_rate, (budget - run.costs.minimum_fee) / at)

    scale = account.decisions.strength.get(order.bar, 1.0)
    most = bought_for(sizing.max_exposure * cash)
    if sizing.kind == "fraction":
        units = bought_for(sizing.fraction * scale * cash)
    elif sizing.kind == "cash":
        units = bought_for(sizing.amount * scale)
    elif sizing.kind == "units":
        units = sizing.units * scale
    elif sizing.kind == "risk_per_trade":
        units = sizing.risk * scale * cash / (at * run.exits.stop_loss)
    else:
        moves = moved(account, order.bar)
        if not moves:
            return 0.0
        if sizing.kind == "atr_risk":
            units = sizing.risk * scale * cash / (sizing.multiple * moves)
        else:
            units = sizing.target * scale * cash / (moves * at)
    if sizing.kind not in ("fraction", "cash", "units") or sizing.max_exposure < 1:
        units = min(units, most)
    if sizing.whole_units:
        lot = account.candles.lot or 1.0
        units = math.floor(units / lot + 1e-9) * lot
    return max(units, 0.0)


def moved(account: Account, bar: int) -> float | None:
    """Return how far prices move: the average true range, or the volatility of a year."""
    candles, sizing = account.candles, account.run.sizing
    period = sizing.period
    if bar < period:
        return None
    high, low, close = candles.high.tolist(), candles.low.tolist(), candles.close.tolist()
    if sizing.kind == "atr_risk":
        ranges = [max(high[b], close[b - 1]) - min(low[b], close[b - 1]) for b in range(1, bar + 1)]
        average = sum(ranges[:period]) / period
        for each in ranges[period:]:
            average = (average * (period - 1) + each) / period
        return average
    returns = [close[b] / close[b - 1] - 1 for b in range(bar - period + 1, bar + 1)]
    mean = sum(returns) / period
    deviation = math.sqrt(sum((each - mean) ** 2 for each in returns) / (period - 1))
    return deviation * math.sqrt(365 * DAY_MS / candles.interval.fixed_ms)


def can_pay(account: Account, order: Order, units: float, price: float) -> bool:
    """A position with its fee may take all the account, or more where max_exposure allows it."""
    run = account.run
    if units <= 0 or price <= 0:
        return False
    power = account.cash * max(run.sizing.max_exposure, 1.0) * (1 + 1e-12)
    prices = [price]
    if run.sizing.sized_at == "signal":
        prices.append(float(account.candles.close[order.bar]))
    return all(units * each + fee_of(run, units, each) <= power for each in prices)


# Money


def pay(account: Account, buys: bool, units: float, price: float, fee: float) -> None:
    account.cash += -(units * price + fee) if buys else units * price - fee
    account.fees += fee
    account.traded += units * price


def fee_of(run: Run, units: float, price: float) -> float:
    return max(units * price * run.costs.fee, run.costs.minimum_fee)


def charge(account: Account, until_ms: int, price: float) -> None:
    """Pay for the borrowed units of a short position, for the time since it was last paid."""
    held, rate = account.position, account.run.costs.borrow_rate or 0.0
    if held.side == SHORT and until_ms > held.paid_until_ms:
        years = (until_ms - held.paid_until_ms) / YEAR_MS
        owed = rate * held.units * price * years
        account.cash -= owed
        held.borrow += owed
        held.paid_until_ms = until_ms


def slipped_price(account: Account, bar: int, reference: float, buys: bool, units: float) -> float:
    """Return what an order that takes the market pays or gets."""
    costs, volume = account.run.costs, float(account.candles.volume[bar])
    price = reference * (1 + costs.slippage if buys else 1 - costs.slippage)
    if volume > 0:
        push = costs.impact * math.sqrt(units / volume)
        price *= 1 + push if buys else max(1 - push, 0.0)
    return against_trader(account, price, buys)


def against_trader(account: Account, price: float, buys: bool) -> float:
    """Return a fill's price on the tick: a purchase pays more, a sale brings less."""
    tick = tick_of(account)
    if tick is None:
        return price
    ticks = price / tick
    return (math.ceil(ticks - 1e-9) if buys else math.floor(ticks + 1e-9)) * tick


def tick_of(account: Account) -> float | None:
    return account.candles.tick if account.run.costs.round_to_tick else None


def nearest_tick(level: float, tick: float | None) -> float:
    return level if tick is None else math.floor(level / tick + 0.5) * tick


def is_large(candles: Candles, bar: int, units: float) -> bool:
    volume = float(candles.volume[bar])
    return volume > 0 and units > 0.025 * volume
