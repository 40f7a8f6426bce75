"""The rules of execution once more, in plain Python, one candle after the other, to be read.

Written from docs/execution.md, not from the kernel: it shares no code with
it. Where both compute a number, they use the same formula, so that they must agree to the last bit.
"""

from __future__ import annotations

from mela.candles import Candles
from mela.run import Run
from tests.backtests.kernel.plain_costs import (
    against_trader,
    can_pay,
    charge,
    end_of,
    fee_of,
    is_large,
    nearest_tick,
    pay,
    size,
    slipped_price,
    tick_of,
)
from tests.backtests.kernel.plain_state import (
    DAY_MS,
    LONG,
    SHORT,
    Account,
    Decisions,
    Order,
    Position,
)


def walk_plainly(candles: Candles, decisions: Decisions, run: Run) -> Account:
    """Execute signals on candles, of which the first `start_bar` are warm-up."""
    account = Account(candles, decisions, run, run.cash)
    volumes = [float(volume) for volume in candles.volume]
    quiet_from = next((bar for bar, one in enumerate(volumes) if one > 0), len(volumes))
    worth_at_days_start = run.cash
    for bar in range(len(candles)):
        if bar >= candles.start_bar:
            if bar == candles.start_bar or day_of(candles, bar) != day_of(candles, bar - 1):
                worth_at_days_start = account.equity[-1] if account.equity else run.cash
                account.locked = False
            if volumes[bar] > 0 or bar < quiet_from:
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


def trade(account: Account, bar: int) -> None:
    """Do what is to be done of a candle that can be traded: at the open, then inside."""
    opened = float(account.candles.open[bar])
    if account.position and account.leave_for:
        limit = resting_limit(account, bar)
        if limit is None:
            exit_now(account, bar, opened, account.leave_for)
        elif opened >= limit if account.position.side == LONG else opened <= limit:
            exit_now(account, bar, opened, account.leave_for, slips=False)
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
        reference = opened
    else:
        signal_close = float(candles.close[order.bar])
        below = buys == (entry.kind == "limit")  # a purchase rests below the market if a limit
        level = signal_close * (1 - entry.offset if below else 1 + entry.offset)
        level = nearest_tick(level, tick_of(account))
        if (opened <= level) if below else (opened >= level):
            reference = opened
        elif (low <= level) if below else (high >= level):
            reference, inside = level, entry.kind
        else:
            return
    account.order = None

    slips = entry.kind != "limit"
    resting = against_trader(account, reference, buys)
    price = slipped_price(account, bar, reference, buys, units=0.0) if slips else resting
    units = size(account, order, price)
    if slips and run.costs.impact and units > 0:
        price = slipped_price(account, bar, reference, buys, units)
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
        lost=units * (price - reference) if buys else units * (reference - price),
        extreme=price,
        paid_until_ms=int(candles.opened_ms[bar]),
        inside=inside,
        reference=reference,
    )


# Exits


def resting_limit(account: Account, bar: int) -> float | None:
    """Return the limit at which an exit signal's order rests on a candle, None where none does."""
    return account.leave_at if account.leave_for and bar <= account.leave_until else None


def exit_now(
    account: Account, bar: int, reference: float, why: str, both: bool = False, slips: bool = True
) -> None:
    run, held = account.run, account.position
    buys = held.side == SHORT
    if not slips:
        price = against_trader(account, reference, buys)
    else:
        price = slipped_price(account, bar, reference, buys, held.units)
    charge(account, until_ms=int(account.candles.opened_ms[bar]), price=reference)
    fee = fee_of(run, held.units, price)
    pay(account, buys, held.units, price, fee)
    account.large += is_large(account.candles, bar, held.units)
    held.lost += held.units * (price - reference) if buys else held.units * (reference - price)
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
    account.position = account.leave_for = account.leave_at = None
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
    reached = [step.gain for step in exits.targets or () if bar - held.bar >= step.after]
    if reached:
        target = nearest_tick(held.price * (1 + better * reached[-1]), tick)

    own_stop, own_target = own_levels(account, bar, tick)
    if own_stop is not None and (stop is None or (own_stop >= stop if long else own_stop <= stop)):
        stop, why = own_stop, "stop_loss"
    if own_target is not None and (
        target is None or (own_target < target if long else own_target > target)
    ):
        target = own_target
    aim, limit = "take_profit", resting_limit(account, bar)
    if limit is not None and (target is None or (limit <= target if long else limit >= target)):
        target, aim = limit, "signal"

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
        exit_now(account, bar, opened, aim, slips=False)
    elif aimed:
        exit_now(account, bar, target, aim, slips=False)


def own_levels(account: Account, bar: int, tick: float | None) -> list[float | None]:
    """Return the strategy's stop and target of the close before.

    On the entry candle a level counts only if the entry lies between it and the market.
    """
    held, decisions = account.position, account.decisions
    found = []
    for levels, ahead in ((decisions.stop, -held.side), (decisions.target, held.side)):
        level = levels.get(bar - 1)
        if level is not None:
            level = nearest_tick(level, tick)
            if held.bar == bar and ahead * (level - held.reference) <= 0:
                level = None
        found.append(level)
    return found


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
        leave_at_the_market(account, bar, "time_stop")
    limit = exits.daily_loss_limit
    if limit is not None and worth <= worth_at_days_start * (1 - limit):
        account.locked, account.order = True, None
        if held:
            leave_at_the_market(account, bar, "daily_loss")


def leave_at_the_market(account: Account, bar: int, why: str) -> None:
    """Order an exit where none is ordered yet; a limit that rests gives way."""
    if not account.leave_for or resting_limit(account, bar + 1) is not None:
        account.leave_for, account.leave_at = why, None


def limit_the_exit(account: Account, bar: int) -> None:
    """Give the exit that a close orders the limit of the strategy, else that of the run."""
    exits, side = account.run.exits, account.position.side
    level = account.decisions.exit_price.get(bar)
    if level is None and exits.limit_offset is not None:
        level = float(account.candles.close[bar]) * (1 + side * exits.limit_offset)
    if level is not None:
        account.leave_at = nearest_tick(level, tick_of(account))
        account.leave_until = bar + exits.limit_bars


def listen(account: Account, bar: int) -> None:
    """Take the orders that the signals of a close give."""
    decisions, held, order = account.decisions, account.position, account.order
    sides = {"long": [LONG], "short": [SHORT], "both": [LONG, SHORT]}[account.run.direction]
    if order and decisions.exits(order.side, bar):
        account.order = None
    if held:
        if decisions.exits(held.side, bar):
            if not account.leave_for:
                limit_the_exit(account, bar)
            account.leave_for = "signal"
            reverses = -held.side in sides and decisions.enters(-held.side, bar)
            if reverses and not account.locked:
                account.order = Order(-held.side, bar)
        return
    wanted = [side for side in sides if decisions.enters(side, bar)]
    if len(wanted) == 1 and bar >= account.free_from and not account.locked:
        account.order = Order(wanted[0], bar)
