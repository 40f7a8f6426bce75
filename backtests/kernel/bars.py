"""The walk of all rules, candle by candle (docs/execution.md gives each its section)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.ledger import (
    DAILY_LOSS,
    LARGE_FILL,
    NEVER,
    SIGNAL,
    TAKE_PROFIT,
    TIME_STOP,
    Walked,
    begin_fall,
    end_fall,
    fall_step,
)
from backtests.kernel.orders import (
    AT_OPEN,
    BY_LIMIT,
    BY_STOP,
    HELD,
    LIMIT,
    MARKET,
    Terms,
    affords,
    fee_of,
    filled_at,
    leave,
    nearer_target,
    on_tick,
    reached,
    tighter_stop,
    units_for,
)
from backtests.signals import Bool, Float

DAY_MS = 86_400_000
YEAR_MS = 365.25 * DAY_MS


@njit(cache=True, nogil=True, error_model="numpy")
def _wanted(enter: bool, exit_: bool, enter_short: bool, exit_short: bool, terms: Terms) -> float:
    """Return the side that a flat account wants to enter: +1, −1, or 0 for none or for both."""
    long = terms.longs and enter and not exit_
    short = terms.shorts and enter_short and not exit_short
    if long == short:
        return 0.0
    return 1.0 if long else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def walk_bars(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    volume: Float,
    opened_ms: NDArray[np.int64],
    lasting_ms: int,
    idle: bool,
    enter: Bool,
    exit_: Bool,
    enter_short: Bool,
    exit_short: Bool,
    gauge: Float,
    strength: Float,
    stop_level: Float,
    target_level: Float,
    start: int,
    cash: float,
    terms: Terms,
    ends: NDArray[np.int64],
    account: Float,
    fall: Float,
    equity: Float,
    fills: np.ndarray,
) -> Walked:
    """Execute signals on candles by all rules; shapes as in `walk_events`, and.

    lasting_ms: how long a candle lasts; a borrowed position is charged to its end
    idle: whether candles without volume fill nothing
    gauge: (n,) float64, what the sizing measures on each close; of length 0 where it does not
    strength: (n,) float64, scales the size of an entry decided on each close
    stop_level, target_level: (n,) float64, levels given on each close for the candle after it, NaN
        for none; of these three each is of length 0 where the strategy does not give it
    fills: (≥ n - start + 1,) FILLS
    """
    n = len(close)
    trades = winning = losing = exposed = ambiguous = rejected = large = period = 0
    fees = traded = slipped = borrowed = 0.0
    ruined = False
    begin_fall(fall, cash, float(opened_ms[start]))

    side = 0.0  # of the position; 0 while flat
    units = spent = entry_price = entry_fee = lost = borrow = 0.0
    entry_bar = 0
    stop = target = extreme = 0.0
    charged_ms = 0
    leaving = 0  # why the position is closed at the next open
    coming = 0.0  # side of the entry ordered
    said_bar = 0  # candle whose close ordered it
    expires = 0  # last candle on which a resting order lives
    free_from = start - 1
    day = np.int64(-1)
    day_equity = cash
    value = cash
    locked = False

    for bar in range(max(start - 1, 0), n):
        if bar >= start:
            if opened_ms[bar] // DAY_MS != day:
                day = opened_ms[bar] // DAY_MS
                day_equity, locked = value, False
            fillable = not idle or volume[bar] > 0.0
            came = HELD

            # What is to be done of this candle's exit: first at the open, then inside it.
            why, raw, both = 0, 0.0, False
            if side != 0.0 and fillable and leaving:
                why, raw = leaving, open_[bar]
            for turn in range(2):
                if side != 0.0 and why:
                    price = (
                        raw
                        if why == TAKE_PROFIT
                        else filled_at(raw, units, volume[bar], -side, terms)
                    )
                    fee = fee_of(units, price, terms)
                    if side < 0.0 and terms.borrow_rate > 0.0:
                        owed = terms.borrow_rate * units * raw
                        owed *= max(opened_ms[bar] - charged_ms, 0) / YEAR_MS
                        cash -= owed
                        borrow += owed
                    earned = side * units * price - fee
                    cash += earned
                    fees += fee
                    traded += units * price
                    lost += side * units * (raw - price)
                    slipped += lost
                    borrowed += borrow
                    large += 0.0 < LARGE_FILL * volume[bar] < units
                    profit = earned - spent - borrow
                    winning += profit > 0.0
                    losing += profit < 0.0
                    row = fills[trades]
                    row["entry_bar"] = entry_bar
                    row["exit_bar"] = bar
                    row["size"] = side * units
                    row["entry_price"] = entry_price
                    row["exit_price"] = price
                    row["fees"] = entry_fee + fee
                    row["profit"] = profit
                    row["reason"] = why
                    row["slippage"] = lost
                    row["borrow"] = borrow
                    trades += 1
                    ambiguous += both
                    side, leaving = 0.0, 0
                    free_from = bar + terms.cooldown
                if turn == 1:
                    break

                # An entry, at the open or inside the candle; a reversal's comes after its exit.
                at_open = True
                if side == 0.0 and coming != 0.0 and fillable and cash > 0.0:
                    if terms.entry_kind == MARKET:
                        fills_now, raw = True, open_[bar]
                    else:
                        sign = -1.0 if terms.entry_kind == LIMIT else 1.0
                        level = close[said_bar] * (1.0 + sign * coming * terms.offset)
                        fills_now, raw, at_open = reached(
                            open_[bar],
                            high[bar],
                            low[bar],
                            coming,
                            on_tick(level, terms.tick),
                            terms.entry_kind,
                        )
                    if fills_now:
                        is_limit = terms.entry_kind == LIMIT
                        before = raw if is_limit else filled_at(raw, 0.0, 0.0, coming, terms)
                        measured = gauge[said_bar] if len(gauge) else 0.0
                        said = close[said_bar]
                        scale = strength[said_bar] if len(strength) else 1.0
                        price = before
                        units = units_for(cash, price, said, measured, scale, terms)
                        if terms.impact > 0.0 and not is_limit and units > 0.0:
                            price = filled_at(raw, units, volume[bar], coming, terms)
                            units = units_for(cash, price, said, measured, scale, terms)
                        if affords(units, price, said, cash, terms):
                            side = coming
                            came = AT_OPEN if at_open else BY_LIMIT if is_limit else BY_STOP
                            entry_bar, entry_price = bar, price
                            entry_fee = fee_of(units, price, terms)
                            spent = side * units * price + entry_fee
                            cash -= spent
                            fees += entry_fee
                            traded += units * price
                            lost = side * units * (price - raw)
                            borrow = 0.0
                            large += 0.0 < LARGE_FILL * volume[bar] < units
                            stop = on_tick(price * (1.0 - side * terms.stop_loss), terms.tick)
                            target = on_tick(price * (1.0 + side * terms.take_profit), terms.tick)
                            extreme = price
                            charged_ms = opened_ms[bar]
                        else:
                            rejected += 1
                        coming = 0.0
                if coming != 0.0 and terms.entry_kind != MARKET and bar >= expires:
                    coming = 0.0

                # Protection, against the levels that stood before this candle.
                why, both = 0, False
                if side != 0.0 and fillable and bar >= entry_bar + terms.protect_delay:
                    trail = -side * NEVER
                    if terms.trailing_stop < NEVER:
                        trail = on_tick(extreme * (1.0 - side * terms.trailing_stop), terms.tick)
                    floor, goal, entered = stop, target, np.nan if came == HELD else raw
                    if len(stop_level):
                        level = on_tick(stop_level[bar - 1], terms.tick)
                        floor = tighter_stop(floor, level, side, entered)
                    if len(target_level):
                        level = on_tick(target_level[bar - 1], terms.tick)
                        goal = nearer_target(goal, level, side, entered)
                    why, raw, both = leave(
                        open_[bar],
                        high[bar],
                        low[bar],
                        close[bar],
                        side,
                        floor,
                        trail,
                        goal,
                        came,
                    )
                if why == 0:
                    break

            # The close: what the account is worth.
            if side != 0.0:
                best = high[bar] if side > 0.0 else low[bar]
                if came == BY_LIMIT:
                    best = close[bar]
                extreme = max(extreme, best) if side > 0.0 else min(extreme, best)
                if side < 0.0 and terms.borrow_rate > 0.0:
                    owed = terms.borrow_rate * units * close[bar]
                    owed *= max((opened_ms[bar] + lasting_ms) - charged_ms, 0) / YEAR_MS
                    cash -= owed
                    borrow += owed
                    charged_ms = opened_ms[bar] + lasting_ms
                exposed += 1
                value = cash + side * units * close[bar]
            else:
                value = cash
            fall_step(fall, value, float(opened_ms[bar]))
            if len(equity):
                equity[bar - start] = value
            if ends[period] == bar - start:
                account[period] = value
                period += 1
            if value <= 0.0:
                ruined = True
                if period == 0 or ends[period - 1] != bar - start:
                    account[period] = value
                    period += 1
                n = bar + 1
                break
            if side != 0.0 and leaving == 0 and bar - entry_bar + 1 >= terms.time_stop:
                leaving = TIME_STOP
            if value <= day_equity * (1.0 - terms.daily_loss):
                locked = True
                coming = 0.0
                if side != 0.0 and leaving == 0:
                    leaving = DAILY_LOSS

        # What this close orders for the next open.
        if coming != 0.0 and (exit_[bar] if coming > 0.0 else exit_short[bar]):
            coming = 0.0
        wanted = _wanted(enter[bar], exit_[bar], enter_short[bar], exit_short[bar], terms)
        if side != 0.0:
            ends_it = exit_[bar] if side > 0.0 else exit_short[bar]
            if ends_it:
                leaving = SIGNAL
                # a signal that opens the other side as well reverses
                opens = terms.shorts and enter_short[bar] and not exit_short[bar]
                if side < 0.0:
                    opens = terms.longs and enter[bar] and not exit_[bar]
                if opens and not locked:
                    coming, said_bar, expires = -side, bar, bar + terms.valid_bars
        else:
            if wanted != 0.0 and bar >= free_from and not locked:
                coming, said_bar, expires = wanted, bar, bar + terms.valid_bars

    bars = n - start
    open_trades = 0
    if side != 0.0:
        open_trades = 1
        slipped += lost
        borrowed += borrow
    end_fall(fall, float(opened_ms[start + bars - 1]))
    return Walked(
        bars,
        period,
        ruined,
        trades,
        winning,
        losing,
        open_trades,
        exposed,
        ambiguous,
        rejected,
        large,
        fees,
        traded,
        slipped,
        borrowed,
        value,
    )
