"""Stop, target and trailing stop: which of them ends a position within a candle, at which price."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from execution.costs import on_tick
from execution.terms import NEVER, ExitTerms, rule
from execution.trades import SIGNAL, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP

HELD, AT_OPEN, BY_LIMIT, BY_STOP = 0, 1, 2, 3  # how a position came to a candle


class Protected(Protocol):
    """The fields of a position that exits read, in an account of its own or a shared one.

    stop, target: its levels; extreme: the best price since the entry
    stop_level, target_level: what the strategy gave on the last close; NaN for none
    """

    entry_price: float
    stop: float
    target: float
    extreme: float
    stop_level: float
    target_level: float


@rule
def protect(held: Protected, price: float, side: float, tick: float, exits: ExitTerms) -> None:
    """Set the levels that protect a position from the fill that opened it."""
    held.entry_price = held.extreme = price
    held.stop = on_tick(price * (1.0 - side * exits.stop_loss), tick)
    held.target = on_tick(price * (1.0 + side * exits.take_profit), tick)


@rule
def reached_level(
    held: Protected,
    open_: float,
    high: float,
    low: float,
    close: float,
    side: float,
    came: int,
    entered: float,
    age: int,
    limit: float,
    tick: float,
    exits: ExitTerms,
) -> tuple[int, float, bool]:
    """Ask a candle for the levels that stood before it; returns as `protective_exit`.

    entered: the reference price of an entry on this candle, else not read
    age: candles since the entry's
    limit: where an exit signal's limit order rests, NaN for none; its reason is SIGNAL
    """
    before = np.nan if came == HELD else entered
    stop, trail = stops_at(held, side, before, tick, exits)
    target = target_at(held, side, age, tick, exits)
    target = nearer_target(target, on_tick(held.target_level, tick), side, before)
    is_limit = side * limit <= side * target
    goal = limit if is_limit else target
    why, price, both = protective_exit(open_, high, low, close, side, stop, trail, goal, came)
    return SIGNAL if is_limit and why == TAKE_PROFIT else why, price, both


@rule
def stops_at(
    held: Protected, side: float, entered: float, tick: float, exits: ExitTerms
) -> tuple[float, float]:
    """Return where the stop and the trailing stop of a position lie; entered: as `tighter_stop`."""
    trail = on_tick(
        trailing_level(
            held.extreme, held.entry_price, side, exits.trailing_stop, exits.trailing_start
        ),
        tick,
    )
    return tighter_stop(held.stop, on_tick(held.stop_level, tick), side, entered), trail


@rule
def target_at(held: Protected, side: float, age: int, tick: float, exits: ExitTerms) -> float:
    """Return where the target lies so many candles after the entry's."""
    if exits.targets == 0:  # asked first: most runs have one target or none
        return held.target
    gain = NEVER
    for step in range(exits.targets):
        if age >= exits.target_ages[step]:
            gain = exits.target_gains[step]
    return on_tick(held.entry_price * (1.0 + side * gain), tick)


@rule
def tighter_stop(stop: float, level: float, side: float, entered: float) -> float:
    """Return the tighter of a position's stop and the level that its strategy gave.

    level: NaN for none
    entered: the reference price of an entry on this candle, else NaN. A level that the entry has
        passed already is ignored on this candle; the next one closes the position at its open.
    """
    if side * level >= side * entered or not side * level > side * stop:
        return stop
    return level


@rule
def nearer_target(target: float, level: float, side: float, entered: float) -> float:
    """Return the nearer of a position's target and the level that its strategy gave.

    level, entered: as in `tighter_stop`
    """
    if side * level <= side * entered or not side * level < side * target:
        return target
    return level


@rule
def trailing_level(
    extreme: float, entry_price: float, side: float, trailing_stop: float, start: float
) -> float:
    """Return where a trailing stop lies, out of reach before the best price has gained `start`.

    extreme: the best price since the entry, up to the candle before
    """
    if trailing_stop == NEVER:  # asked first: most runs have none
        return -side * NEVER
    if side * extreme >= side * entry_price * (1.0 + side * start):
        return extreme * (1.0 - side * trailing_stop)
    return -side * NEVER


@rule
def protective_exit(
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
    """Return why a candle ends a position (0: it does not), at which price, and if it is ambiguous.

    The price is the reference price, see `costs`.

    stop, trail, target: levels; on a long position's side the tighter of the first two counts
    came: HELD before the candle; or entered on it, AT_OPEN, or inside it BY_LIMIT or BY_STOP. Only
        a position held fills at the open. On a candle entered inside, prices before the entry do
        not count where the entry tells which they are. A limit is reached from the better side, so
        the best price known after it is the close. A stop is reached from the worse side, so a low
        below a level above the open proves nothing, and the close counts instead.
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
        return why, side * floor, best >= goal and opens > floor
    if came == HELD and opens >= goal:
        return TAKE_PROFIT, open_, False
    if best >= goal:
        return TAKE_PROFIT, side * goal, False
    return 0, 0.0, False
