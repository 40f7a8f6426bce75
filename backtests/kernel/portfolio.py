"""The walk over one account of several instruments (docs/portfolio.md gives each rule its section).

A step is an opening time at which some instrument has a candle. Column 0 stands before the first
step: the last warm-up candle of each instrument, whose close can order but where nothing fills.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.bars import YEAR_MS
from backtests.kernel.ledger import (
    LARGE_FILL,
    NEVER,
    SIGNAL,
    TAKE_PROFIT,
    Walked,
    begin_fall,
    end_fall,
    fall_step,
)
from backtests.kernel.orders import AT_OPEN, HELD, leave, nearer_target, tighter_stop
from backtests.signals import Bool, Float

_NEARLY = 1e-9  # how far below a whole number of lots still counts as it
_TINY = 1e-12  # of the equity: an order below it is rounding


class AccountTerms(NamedTuple):
    """What a run asks of its account, as numbers; NEVER or 0 where it does not ask.

    drift: how far a weight may move from its target before all are restored
    """

    longs: bool
    shorts: bool
    fee: float
    slippage: float
    minimum_fee: float
    borrow_rate: float
    whole_units: bool
    stop_loss: float
    take_profit: float
    trailing_stop: float
    cooldown: int
    protect_delay: int
    drift: float


# What the account knows of an instrument's position, one row each of a (KNOWN, k) float64 array.
# A position lasts from the fill that opens it to the fill that closes it; what is bought and sold
# in between belongs to it.
UNITS, OPENED, STARTED, IN_UNITS, IN_MONEY, OUT_UNITS, OUT_MONEY = 0, 1, 2, 3, 4, 5, 6
FEES, LOST, BORROWED, CHARGED_MS, STOP, TARGET, EXTREME = 7, 8, 9, 10, 11, 12, 13
KNOWN = 14


@njit(cache=True, nogil=True, error_model="numpy")
def state_after(
    state: int, enter: bool, exit_: bool, enter_short: bool, exit_short: bool, terms: AccountTerms
) -> int:
    """Return an instrument's state (+1 long, −1 short, 0 out) after the signals of a close."""
    long = terms.longs and enter and not exit_
    short = terms.shorts and enter_short and not exit_short
    if state > 0:
        return 1 if not exit_ else -1 if short else 0
    if state < 0:
        return -1 if not exit_short else 1 if long else 0
    return int(long) - int(short)


@njit(cache=True, nogil=True, error_model="numpy")
def _charge_borrow(held: Float, at: int, price: float, ms: float, terms: AccountTerms) -> float:
    """Charge a short position for the time since it was charged last; return what it costs."""
    if held[UNITS, at] >= 0.0 or terms.borrow_rate == 0.0:
        return 0.0
    owed = terms.borrow_rate * -held[UNITS, at] * price
    owed *= max(ms - held[CHARGED_MS, at], 0.0) / YEAR_MS
    held[BORROWED, at] += owed
    held[CHARGED_MS, at] = ms
    return owed


@njit(cache=True, nogil=True, error_model="numpy")
def _fee(units: float, price: float, terms: AccountTerms) -> float:
    return max(units * price * terms.fee, terms.minimum_fee)


@njit(cache=True, nogil=True, error_model="numpy")
def _in_lots(units: float, lot: float, terms: AccountTerms) -> float:
    return math.floor(units / lot + _NEARLY) * lot if terms.whole_units else units


@njit(cache=True, nogil=True, error_model="numpy")
def walk_together(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    volume: Float,
    has: Bool,
    fillable: Bool,
    opened_ms: NDArray[np.int64],
    lasting_ms: int,
    enter: Bool,
    exit_: Bool,
    enter_short: Bool,
    exit_short: Bool,
    strength: Float,
    stop_level: Float,
    target_level: Float,
    weights: Float,
    due: Bool,
    lots: Float,
    cash: float,
    terms: AccountTerms,
    ends: NDArray[np.int64],
    account: Float,
    fall: Float,
    equity: Float,
    fills: np.ndarray,
    traded_in: NDArray[np.int64],
) -> Walked:
    """Execute the signals of k instruments on one account over n steps.

    open_ … volume: (k, n + 1) float64; where an instrument has no candle nothing of it is read
    has, fillable: (k, n + 1) bool, whether there is a candle, and whether it can fill an order
    opened_ms: (n + 1,) int64; lasting_ms: how long a candle lasts
    enter … exit_short: (k, n + 1) bool
    strength: (k, n + 1) float64, scales the weight of a position entered on that close
    stop_level, target_level: (k, n + 1) float64, levels given on each close, in force until the
        instrument's next close, NaN for none; of these three each is (k, 0) where nobody gives it
    weights: (k, n + 1) or (k, 1) float64, the target of each instrument that is in, as known on
        the close of each column
    due: (n + 1,) bool, the steps at whose open all shares are to be restored
    lots: (k,) float64, what whole units are rounded to
    ends: (m,) int64, the last step of each period, counted from 0
    account: (≥ m,), fall: (FALL_SIZE,), equity: (n,) or (0,) float64, written
    fills: (≥ the candles of all instruments,) FILLS, its bars counted as columns; traded_in: the
        same length, the instrument of each
    """
    k, columns = has.shape
    trades = winning = losing = exposed = ambiguous = rejected = large = period = 0
    fees = traded = slipped = borrowed = 0.0
    ruined = False
    value = cash
    begin_fall(fall, cash, float(opened_ms[1]))

    held = np.zeros((KNOWN, k))
    state = np.zeros(k, np.int64)
    pending = np.zeros(k, np.bool_)
    seen = np.zeros(k, np.int64)  # candles of each so far
    free_from = np.zeros(k, np.int64)
    scales = np.ones(k)  # the strength with which each was entered
    stops, targets = np.full(k, np.nan), np.full(k, np.nan)  # given on the last close of each
    last = np.zeros(k)  # the price that each is valued at
    money = np.zeros(k)  # what an order that adds to a position may cost, fee included

    for now in range(columns):
        before = max(now - 1, 0) if weights.shape[1] > 1 else 0
        if now > 0:
            # The open. All that opens now is worth its open, the rest its last close.
            some = False
            worth = cash
            for at in range(k):
                if has[at, now]:
                    last[at] = open_[at, now]
                if due[now] and state[at] != 0:
                    pending[at] = True
                some = some or (pending[at] and fillable[at, now])
                worth += held[UNITS, at] * last[at]

            # What leaves positions comes first, then what adds to them, from the money that is left
            for adding in range(2 if some else 0):
                scale = 1.0
                if adding:
                    free, needed = cash, 0.0
                    for at in range(k):
                        if held[UNITS, at] < 0.0:  # what shorts brought in stays bound
                            free += 2.0 * held[UNITS, at] * last[at]
                        money[at] = 0.0
                        if pending[at] and fillable[at, now] and state[at] != 0:
                            aim = weights[at, before] * scales[at] * worth
                            lacking = aim - abs(held[UNITS, at]) * last[at]
                            if lacking > _TINY * abs(worth):
                                money[at] = lacking
                                needed += lacking
                    if needed > max(free, 0.0):
                        scale = max(free, 0.0) / needed
                for at in range(k):
                    if not (pending[at] and fillable[at, now]):
                        continue
                    raw, units = open_[at, now], held[UNITS, at]
                    side = 1.0 if units > 0.0 else -1.0
                    if adding:
                        pending[at] = False
                        side = float(state[at])
                        price = raw * (1.0 + side * terms.slippage)
                        budget = money[at] * scale
                        add = budget / (price * (1.0 + terms.fee))
                        if terms.minimum_fee > 0.0:
                            add = min(add, (budget - terms.minimum_fee) / price)
                        add = _in_lots(add, lots[at], terms)
                        if not add > 0.0:
                            rejected += units == 0.0 and money[at] > 0.0
                            continue
                        done = add
                    else:
                        if units == 0.0:
                            continue
                        if state[at] * side <= 0.0:
                            done = abs(units)
                        else:
                            aim = weights[at, before] * scales[at] * worth
                            excess = abs(units) * raw - aim
                            if not excess > _TINY * abs(worth):
                                continue
                            done = abs(units)
                            if aim > 0.0:
                                done = _in_lots(excess / raw, lots[at], terms)
                                if done * raw <= terms.minimum_fee:  # not worth its fee
                                    continue
                        price = raw * (1.0 - side * terms.slippage)
                    cash -= _charge_borrow(held, at, raw, float(opened_ms[now]), terms)
                    fee = _fee(done, price, terms)
                    fees += fee
                    traded += done * price
                    large += 0.0 < LARGE_FILL * volume[at, now] < done
                    if adding:
                        cash -= side * done * price + fee
                        if units == 0.0:
                            held[:, at] = 0.0
                            held[OPENED, at] = now
                            held[STARTED, at] = seen[at]
                            held[STOP, at] = price * (1.0 - side * terms.stop_loss)
                            held[TARGET, at] = price * (1.0 + side * terms.take_profit)
                            held[EXTREME, at] = price
                            held[CHARGED_MS, at] = opened_ms[now]
                        held[UNITS, at] += side * done
                        held[IN_UNITS, at] += done
                        held[IN_MONEY, at] += done * price
                        held[LOST, at] += side * done * (price - raw)
                        held[FEES, at] += fee
                        continue
                    cash += _take_out(held, at, side, done, raw, price, fee)
                    if held[UNITS, at] == 0.0:
                        _write(fills[trades], held, at, side, now, SIGNAL)
                        traded_in[trades] = at
                        trades += 1
                        free_from[at] = seen[at] + terms.cooldown

            # Inside the candle: stop and target, against the levels that stood before it
            for at in range(k):
                units = held[UNITS, at]
                if units == 0.0 or not fillable[at, now]:
                    continue
                if seen[at] < held[STARTED, at] + terms.protect_delay:
                    continue
                side = 1.0 if units > 0.0 else -1.0
                trail = -side * NEVER
                if terms.trailing_stop < NEVER:
                    trail = held[EXTREME, at] * (1.0 - side * terms.trailing_stop)
                entered = open_[at, now] if held[OPENED, at] == now else np.nan
                why, raw, both = leave(
                    open_[at, now],
                    high[at, now],
                    low[at, now],
                    close[at, now],
                    side,
                    tighter_stop(held[STOP, at], stops[at], side, entered),
                    trail,
                    nearer_target(held[TARGET, at], targets[at], side, entered),
                    AT_OPEN if held[OPENED, at] == now else HELD,
                )
                if why == 0:
                    continue
                done = abs(units)
                price = raw if why == TAKE_PROFIT else raw * (1.0 - side * terms.slippage)
                cash -= _charge_borrow(held, at, raw, float(opened_ms[now]), terms)
                fee = _fee(done, price, terms)
                fees += fee
                traded += done * price
                large += 0.0 < LARGE_FILL * volume[at, now] < done
                cash += _take_out(held, at, side, done, raw, price, fee)
                _write(fills[trades], held, at, side, now, why)
                traded_in[trades] = at
                trades += 1
                ambiguous += both
                state[at] = 0
                pending[at] = False
                free_from[at] = seen[at] + terms.cooldown

        # The close: what the account is worth
        value = cash
        is_exposed = False
        for at in range(k):
            units = held[UNITS, at]
            if has[at, now]:
                last[at] = close[at, now]
                if units > 0.0:
                    held[EXTREME, at] = max(held[EXTREME, at], high[at, now])
                elif units < 0.0:
                    held[EXTREME, at] = min(held[EXTREME, at], low[at, now])
                    ended = float(opened_ms[now] + lasting_ms)
                    owed = _charge_borrow(held, at, last[at], ended, terms)
                    cash -= owed
                    value -= owed
            is_exposed = is_exposed or units != 0.0
            value += units * last[at]
        if now > 0:
            exposed += is_exposed
            fall_step(fall, value, float(opened_ms[now]))
            if len(equity):
                equity[now - 1] = value
            if ends[period] == now - 1:
                account[period] = value
                period += 1
            if value <= 0.0:
                ruined = True
                if period == 0 or ends[period - 1] != now - 1:
                    account[period] = value
                    period += 1
                columns = now + 1
                break

        # What this close orders for the next open of each instrument
        for at in range(k):
            if not has[at, now]:
                continue
            wanted = state_after(
                state[at],
                enter[at, now],
                exit_[at, now],
                enter_short[at, now],
                exit_short[at, now],
                terms,
            )
            if state[at] == 0 and seen[at] < free_from[at]:
                wanted = 0
            if wanted != state[at]:
                state[at] = wanted
                scales[at] = strength[at, now] if strength.shape[1] and wanted else 1.0
                pending[at] = wanted != 0 or held[UNITS, at] != 0.0
            if stop_level.shape[1]:
                stops[at] = stop_level[at, now]
            if target_level.shape[1]:
                targets[at] = target_level[at, now]
            seen[at] += 1
        if terms.drift < NEVER:
            here = now if weights.shape[1] > 1 else 0
            moved = False
            for at in range(k):
                if state[at] != 0 and not pending[at]:
                    aim = state[at] * weights[at, here] * scales[at]
                    share = held[UNITS, at] * last[at] / value
                    moved = moved or abs(share - aim) > terms.drift
            for at in range(k):
                if moved and state[at] != 0:
                    pending[at] = True

    for trade in range(trades):
        winning += fills[trade]["profit"] > 0.0
        losing += fills[trade]["profit"] < 0.0
        slipped += fills[trade]["slippage"]
        borrowed += fills[trade]["borrow"]
    open_trades = 0
    for at in range(k):
        if held[UNITS, at] != 0.0:
            open_trades += 1
            slipped += held[LOST, at]
            borrowed += held[BORROWED, at]
    bars = columns - 1
    end_fall(fall, float(opened_ms[bars]))
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


@njit(cache=True, nogil=True, error_model="numpy")
def _take_out(
    held: Float, at: int, side: float, done: float, raw: float, price: float, fee: float
) -> float:
    """Take units out of a position; return what that adds to the cash."""
    held[UNITS, at] = side * max(abs(held[UNITS, at]) - done, 0.0)
    held[OUT_UNITS, at] += done
    held[OUT_MONEY, at] += done * price
    held[LOST, at] += side * done * (raw - price)
    held[FEES, at] += fee
    return side * done * price - fee


@njit(cache=True, nogil=True, error_model="numpy")
def _write(row: np.void, held: Float, at: int, side: float, now: int, why: int) -> None:
    """Write down the position that was closed."""
    earned = side * (held[OUT_MONEY, at] - held[IN_MONEY, at])
    row["entry_bar"] = int(held[OPENED, at])
    row["exit_bar"] = now
    row["size"] = side * held[IN_UNITS, at]
    row["entry_price"] = held[IN_MONEY, at] / held[IN_UNITS, at]
    row["exit_price"] = held[OUT_MONEY, at] / held[OUT_UNITS, at]
    row["fees"] = held[FEES, at]
    row["profit"] = earned - held[FEES, at] - held[BORROWED, at]
    row["reason"] = why
    row["slippage"] = held[LOST, at]
    row["borrow"] = held[BORROWED, at]
