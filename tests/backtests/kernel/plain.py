"""The rules of execution once more, in plain Python, one candle after the other, to be read.

Written from docs/execution.md, not from the kernel: it shares no code with
it. Where both compute a number, they use the same formula, so that they must agree to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mela.candles import Candles
from mela.run import Run

DAY_MS = 24 * 60 * 60 * 1000
YEAR_MS = 365.25 * DAY_MS
LONG, SHORT = 1, -1


@dataclass
class Said:
    """The bars on whose close a signal stands. Without short ones the long ones are mirrored.

    strength, stop, target: what the strategy gives on a bar's close besides, where it does.
    """

    enter: set[int]
    exit: set[int]
    enter_short: set[int] | None = None
    exit_short: set[int] | None = None
    strength: dict[int, float] = field(default_factory=dict)
    stop: dict[int, float] = field(default_factory=dict)
    target: dict[int, float] = field(default_factory=dict)

    def enters(self, side: int, bar: int) -> bool:
        """Tell whether a side is to be entered: not where the same close says to leave it."""
        short = self.exit if self.enter_short is None else self.enter_short
        return bar in (self.enter if side == LONG else short) and not self.exits(side, bar)

    def exits(self, side: int, bar: int) -> bool:
        """Tell whether a side is to be left."""
        short = self.enter if self.exit_short is None else self.exit_short
        return bar in (self.exit if side == LONG else short)


@dataclass
class Order:
    """An entry that was ordered on a close."""

    side: int
    bar: int


@dataclass
class Position:
    """What is held, and what it has cost so far. `inside`: entered inside its candle, by what."""

    side: int
    units: float
    bar: int
    price: float
    fee: float
    lost: float
    extreme: float
    paid_until_ms: int
    inside: str | None
    raw: float
    borrow: float = 0.0


@dataclass
class Account:
    """Everything that happens to one account; `walk_plainly` fills it."""

    candles: Candles
    said: Said
    run: Run
    cash: float
    position: Position | None = None
    order: Order | None = None
    leave_for: str | None = None
    free_from: int = -1
    locked: bool = False
    ruined: bool = False
    ambiguous: int = 0
    exposed: int = 0
    rejected: int = 0
    large: int = 0
    fees: float = 0.0
    traded: float = 0.0
    slipped: float = 0.0
    borrowed: float = 0.0
    equity: list[float] = field(default_factory=list)
    trades: list[tuple] = field(default_factory=list)


def walk_plainly(candles: Candles, said: Said, run: Run) -> Account:
    """Execute signals on candles, of which the first `start_bar` are warm-up."""
    account = Account(candles, said, run, run.cash)
    volumes = [float(volume) for volume in candles.volume]
    has_volumes = any(volume > 0 for volume in volumes)
    worth_at_days_start = run.cash
    for bar in range(len(candles)):
        if bar >= candles.start_bar:
            if bar == candles.start_bar or day_of(candles, bar) != day_of(candles, bar - 1):
                worth_at_days_start = account.equity[-1] if account.equity else run.cash
                account.locked = False
            if volumes[bar] > 0 or not has_volumes:
                trade(account, bar)
            if account.order and order_is_over(account, bar):
                account.order = None
            close(account, bar, worth_at_days_start)
            if account.ruined:
                break
        if bar >= candles.start_bar - 1:
            listen(account, bar)
    if account.position:
        account.slipped += account.position.lost
        account.borrowed += account.position.borrow
    return account


def day_of(candles: Candles, bar: int) -> int:
    return int(candles.opened_ms[bar]) // DAY_MS


def end_of(candles: Candles, bar: int) -> int:
    return int(candles.opened_ms[bar]) + candles.interval.fixed_ms


def trade(account: Account, bar: int) -> None:
    """Do what is to be done of a candle that can be traded: at the open, then inside."""
    opened = float(account.candles.open[bar])
    if account.position and account.leave_for:
        exit_now(account, bar, opened, account.leave_for)
    if account.order and not account.position and account.cash > 0:
        enter_if_reached(account, bar)
    if account.position:
        protect(account, bar)


# Entries


def order_is_over(account: Account, bar: int) -> bool:
    """A market order waits until it can be filled; a resting one lives for `valid_bars` candles."""
    entry = account.run.entry
    return entry.kind != "market" and bar >= account.order.bar + entry.valid_bars


def enter_if_reached(account: Account, bar: int) -> None:
    run, candles, order = account.run, account.candles, account.order
    opened, high, low = (float(c[bar]) for c in (candles.open, candles.high, candles.low))
    buys, entry = order.side == LONG, run.entry
    inside = None
    if entry.kind == "market":
        raw = opened
    else:
        said_close = float(candles.close[order.bar])
        below = buys == (entry.kind == "limit")  # a purchase rests below the market if a limit
        level = said_close * (1 - entry.offset if below else 1 + entry.offset)
        level = nearest_tick(level, tick_of(account))
        if (opened <= level) if below else (opened >= level):
            raw = opened
        elif (low <= level) if below else (high >= level):
            raw, inside = level, entry.kind
        else:
            return
    account.order = None

    slips = entry.kind != "limit"
    resting = against_trader(account, raw, buys)
    price = slipped_price(account, bar, raw, buys, units=0.0) if slips else resting
    units = size(account, order, price)
    if slips and run.costs.impact and units > 0:
        price = slipped_price(account, bar, raw, buys, units)
        units = size(account, order, price)
    if not can_pay(account, order, units, price):
        account.rejected += 1
        return
    fee = fee_of(run, units, price)
    pay(account, buys, units, price, fee)
    account.large += is_large(candles, bar, units)
    account.position = Position(
        side=order.side,
        units=units,
        bar=bar,
        price=price,
        fee=fee,
        lost=units * (price - raw) if buys else units * (raw - price),
        extreme=price,
        paid_until_ms=int(candles.opened_ms[bar]),
        inside=inside,
        raw=raw,
    )


def size(account: Account, order: Order, price: float) -> float:
    """Return the units that an entry is for, 0 if that is not known."""
    run, sizing, cash = account.run, account.run.sizing, account.cash
    at_signal = sizing.sized_at == "signal"
    said_close = float(account.candles.close[order.bar])
    at = said_close if at_signal else price
    if at <= 0:  # so much impact that nothing is left of the price
        return 0.0

    def bought_for(budget: float) -> float:
        if at_signal:
            return budget / at
        by_rate = budget / (at * (1 + run.costs.fee))
        if not run.costs.minimum_fee:
            return by_rate
        return min(by_rate, (budget - run.costs.minimum_fee) / at)

    scale = account.said.strength.get(order.bar, 1.0)
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


# Exits


def exit_now(account: Account, bar: int, raw: float, why: str, both: bool = False) -> None:
    run, held = account.run, account.position
    buys = held.side == SHORT
    if why == "take_profit":
        price = against_trader(account, raw, buys)
    else:
        price = slipped_price(account, bar, raw, buys, held.units)
    charge(account, until_ms=int(account.candles.opened_ms[bar]), price=raw)
    fee = fee_of(run, held.units, price)
    pay(account, buys, held.units, price, fee)
    account.large += is_large(account.candles, bar, held.units)
    held.lost += held.units * (price - raw) if buys else held.units * (raw - price)
    account.slipped += held.lost
    account.borrowed += held.borrow
    account.ambiguous += both

    bought = held.units * (price if buys else held.price) + (fee if buys else held.fee)
    sold = held.units * (held.price if buys else price) - (held.fee if buys else fee)
    account.trades.append(
        (
            *(held.bar, bar, held.side * held.units, held.price, price),
            *(held.fee + fee, sold - bought - held.borrow, why, held.lost, held.borrow),
        )
    )
    account.position = account.leave_for = None
    account.free_from = bar + run.exits.cooldown_bars


def protect(account: Account, bar: int) -> None:
    """Ask a candle for the stops, then for the target."""
    run, candles, held = account.run, account.candles, account.position
    exits, entering = run.exits, account.position.bar == bar
    if entering and exits.protect_from == "next":
        return
    opened, high, low, close = (
        float(c[bar]) for c in (candles.open, candles.high, candles.low, candles.close)
    )
    long, tick = held.side == LONG, tick_of(account)
    worse, better = (-1, 1) if long else (1, -1)

    stop, why = None, None
    if exits.stop_loss is not None:
        stop, why = nearest_tick(held.price * (1 + worse * exits.stop_loss), tick), "stop_loss"
    has_gained = better * held.extreme >= better * held.price * (1 + better * exits.trailing_start)
    if exits.trailing_stop is not None and has_gained:
        trail = nearest_tick(held.extreme * (1 + worse * exits.trailing_stop), tick)
        if stop is None or (trail > stop if long else trail < stop):
            stop, why = trail, "trailing_stop"
    target = None
    if exits.take_profit is not None:
        target = nearest_tick(held.price * (1 + better * exits.take_profit), tick)

    own_stop, own_target = own_levels(account, bar, tick)
    if own_stop is not None and (stop is None or (own_stop >= stop if long else own_stop <= stop)):
        stop, why = own_stop, "stop_loss"
    if own_target is not None and (
        target is None or (own_target < target if long else own_target > target)
    ):
        target = own_target

    opened_beyond_stop = stop is not None and (opened <= stop if long else opened >= stop)
    opened_beyond_target = target is not None and (opened >= target if long else opened <= target)
    # What the candle is known to have reached while the position was held.
    worst, best = (low, high) if long else (high, low)
    entered_inside = held.inside if entering else None
    if entered_inside == "limit":
        best = close  # its best may have come before the price fell back to the limit
    if entered_inside == "stop" and opened_beyond_stop:
        worst = close  # it was there before it rose to the entry
    stopped = stop is not None and (worst <= stop if long else worst >= stop)
    aimed = target is not None and (best >= target if long else best <= target)

    if not entering and opened_beyond_stop:
        exit_now(account, bar, opened, why)
    elif stopped:
        exit_now(account, bar, stop, why, both=aimed and not opened_beyond_stop)
    elif not entering and opened_beyond_target:
        exit_now(account, bar, opened, "take_profit")
    elif aimed:
        exit_now(account, bar, target, "take_profit")


def own_levels(account: Account, bar: int, tick: float | None) -> list[float | None]:
    """Return the strategy's stop and target of the close before.

    On the entry candle a level counts only if the entry lies between it and the market.
    """
    held, said = account.position, account.said
    found = []
    for levels, ahead in ((said.stop, -held.side), (said.target, held.side)):
        level = levels.get(bar - 1)
        if level is not None:
            level = nearest_tick(level, tick)
            if held.bar == bar and ahead * (level - held.raw) <= 0:
                level = None
        found.append(level)
    return found


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


def slipped_price(account: Account, bar: int, raw: float, buys: bool, units: float) -> float:
    """Return what an order that takes the market pays or gets."""
    costs, volume = account.run.costs, float(account.candles.volume[bar])
    price = raw * (1 + costs.slippage if buys else 1 - costs.slippage)
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


# The close


def close(account: Account, bar: int, worth_at_days_start: float) -> None:
    """Value the account; find what the position's age and the day's loss order."""
    candles, held, exits = account.candles, account.position, account.run.exits
    worth = account.cash
    if held:
        price = float(candles.close[bar])
        seen = float(candles.high[bar] if held.side == LONG else candles.low[bar])
        if held.bar == bar and held.inside == "limit":
            seen = price
        held.extreme = max(held.extreme, seen) if held.side == LONG else min(held.extreme, seen)
        charge(account, until_ms=end_of(candles, bar), price=price)
        worth = account.cash + held.side * held.units * price
        account.exposed += 1
    account.equity.append(worth)
    if worth <= 0:
        account.ruined = True
        return
    if held and exits.time_stop_bars and bar - held.bar + 1 >= exits.time_stop_bars:
        account.leave_for = account.leave_for or "time_stop"
    limit = exits.daily_loss_limit
    if limit is not None and worth <= worth_at_days_start * (1 - limit):
        account.locked, account.order = True, None
        if held:
            account.leave_for = account.leave_for or "daily_loss"


def listen(account: Account, bar: int) -> None:
    """Take the orders that the signals of a close give."""
    said, held, order = account.said, account.position, account.order
    sides = {"long": [LONG], "short": [SHORT], "both": [LONG, SHORT]}[account.run.direction]
    if order and said.exits(order.side, bar):
        account.order = None
    if held:
        if said.exits(held.side, bar):
            account.leave_for = "signal"
            reverses = -held.side in sides and said.enters(-held.side, bar)
            if reverses and not account.locked:
                account.order = Order(-held.side, bar)
        return
    wanted = [side for side in sides if said.enters(side, bar)]
    if len(wanted) == 1 and bar >= account.free_from and not account.locked:
        account.order = Order(wanted[0], bar)
