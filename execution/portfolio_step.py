"""One step of an account of several instruments: the open, what happens within, and the close.

Throughout, `positions` is (k,) POSITION, and the step is the column `now` of `columns`.
"""

from __future__ import annotations

import numpy as np

from execution.account import PortfolioAccount, Position
from execution.columns import Columns, level_given, strength_given, weight_given
from execution.exits import AT_OPEN, HELD, reached_level
from execution.positions import (
    NEGLIGIBLE,
    charge_borrow,
    close_position,
    increase_position,
    reduce_position,
)
from execution.terms import NEVER, Int, PortfolioTerms, rule


@rule
def trade_open(
    account: PortfolioAccount,
    positions: np.ndarray,
    columns: Columns,
    now: int,
    opened_ms: int,
    due: bool,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Execute at the open what was ordered before; `due` restores all shares.

    trades, traded: TRADES and the instrument of each, written from `row` on; at most two for each
        instrument in a step
    returns: the row after the last one written
    """
    # What opens now is worth its open, the rest its last close.
    some = False
    worth = account.cash
    for at in range(len(positions)):
        one = positions[at]
        if columns.has[at, now]:
            one.price = columns.open[at, now]
        if due and one.side != 0:
            one.pending = 1
        some = some or (one.pending and columns.fillable[at, now])
        worth += one.units * one.price
    if some:
        # What leaves positions comes first; what adds to them takes from the money that is left.
        for at in range(len(positions)):
            one = positions[at]
            if one.pending and columns.fillable[at, now] and one.units != 0.0:
                reference, volume = columns.open[at, now], columns.volume[at, now]
                if reduce_position(
                    account, one, reference, volume, opened_ms, worth, terms, trades[row]
                ):
                    traded[row] = at
                    row += 1
        scale = purchase_scale(account, positions, columns, now, worth)
        for at in range(len(positions)):
            one = positions[at]
            if one.pending and columns.fillable[at, now]:
                one.pending = 0
                reference, volume = columns.open[at, now], columns.volume[at, now]
                increase_position(account, one, reference, volume, opened_ms, scale, terms)
    return row


@rule
def purchase_scale(
    account: PortfolioAccount, positions: np.ndarray, columns: Columns, now: int, worth: float
) -> float:
    """Set the budget of each purchase; return the part of it that the account can pay."""
    free, needed = account.cash, 0.0
    for at in range(len(positions)):
        one = positions[at]
        if one.units < 0.0:  # what shorts brought in stays bound
            free += 2.0 * one.units * one.price
        one.budget = 0.0
        if one.pending and columns.fillable[at, now] and one.side != 0:
            aim = one.weight * one.scale * worth
            lacking = aim - abs(one.units) * one.price
            if lacking > NEGLIGIBLE * abs(worth):
                one.budget = lacking
                needed += lacking
    return max(free, 0.0) / needed if needed > max(free, 0.0) else 1.0


@rule
def trade_within(
    account: PortfolioAccount,
    positions: np.ndarray,
    columns: Columns,
    now: int,
    opened_ms: int,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Close the positions whose stop or target their candle reaches; arguments as `trade_open`."""
    for at in range(len(positions)):
        one = positions[at]
        if one.units == 0.0 or not columns.fillable[at, now]:
            continue
        if one.candles < one.opened_candle + terms.exits.protect_delay:
            continue
        side = 1.0 if one.units > 0.0 else -1.0
        entering = one.opened_step == account.step
        open_ = columns.open[at, now]
        why, reference, both = reached_level(
            one,
            open_,
            columns.high[at, now],
            columns.low[at, now],
            columns.close[at, now],
            side,
            AT_OPEN if entering else HELD,
            open_,
            one.candles - one.opened_candle,
            np.nan,
            0.0,
            terms.exits,
        )
        if why == 0:
            continue
        volume = columns.volume[at, now]
        close_position(account, one, why, reference, volume, opened_ms, terms, trades[row])
        traded[row] = at
        row += 1
        account.ambiguous += both
        one.free_from = one.candles + terms.exits.cooldown
    return row


@rule
def value_step(
    account: PortfolioAccount,
    positions: np.ndarray,
    columns: Columns,
    now: int,
    ended_ms: int,
    terms: PortfolioTerms,
) -> float:
    """Return the equity on the closes of a step; an instrument without one keeps its last."""
    value = account.cash
    is_exposed = False
    for at in range(len(positions)):
        one = positions[at]
        if columns.has[at, now]:
            one.price = columns.close[at, now]
            if one.units > 0.0:
                one.extreme = max(one.extreme, columns.high[at, now])
            elif one.units < 0.0:
                one.extreme = min(one.extreme, columns.low[at, now])
                owed = charge_borrow(one, one.price, float(ended_ms), terms)
                account.cash -= owed
                value -= owed
        is_exposed = is_exposed or one.units != 0.0
        value += one.units * one.price
    account.equity = value
    account.exposed += is_exposed
    account.ruined = int(value <= 0.0)
    return value


@rule
def decide_step(
    account: PortfolioAccount,
    positions: np.ndarray,
    columns: Columns,
    now: int,
    terms: PortfolioTerms,
) -> None:
    """Take the decisions of the closes of a step: each is executed at its next open."""
    for at in range(len(positions)):
        one = positions[at]
        one.weight = weight_given(columns, at, now)
        if columns.has[at, now]:
            _decide(one, columns, at, now, terms)
    if terms.drift < NEVER:
        _restore_drifted(account, positions, terms)
    account.step += 1


@rule
def _decide(one: Position, columns: Columns, at: int, now: int, terms: PortfolioTerms) -> None:
    wanted = side_after(
        one.side,
        columns.enter[at, now] != 0,
        columns.exit[at, now] != 0,
        columns.enter_short[at, now] != 0,
        columns.exit_short[at, now] != 0,
        terms,
    )
    if one.side == 0 and one.candles < one.free_from:
        wanted = 0
    if wanted != one.side:
        one.side = wanted
        one.scale = strength_given(columns, at, now) if wanted != 0 else 1.0
        one.pending = int(wanted != 0 or one.units != 0.0)
    one.stop_level = level_given(columns.stop_level, at, now)
    one.target_level = level_given(columns.target_level, at, now)
    one.candles += 1


@rule
def side_after(
    side: int,
    enter: bool,
    exit_: bool,
    enter_short: bool,
    exit_short: bool,
    terms: PortfolioTerms,
) -> int:
    """Return where an instrument is wanted (+1 long, −1 short, 0 out) after a close's signals.

    side: where it was wanted before
    """
    long = terms.longs and enter and not exit_
    short = terms.shorts and enter_short and not exit_short
    if side > 0:
        return 1 if not exit_ else -1 if short else 0
    if side < 0:
        return -1 if not exit_short else 1 if long else 0
    return int(long) - int(short)


@rule
def _restore_drifted(
    account: PortfolioAccount, positions: np.ndarray, terms: PortfolioTerms
) -> None:
    """Restore all shares if one has moved too far from its target."""
    moved = False
    for at in range(len(positions)):
        one = positions[at]
        if one.side != 0 and not one.pending:
            aim = one.side * one.weight * one.scale
            share = one.units * one.price / account.equity
            moved = moved or abs(share - aim) > terms.drift
    for at in range(len(positions)):
        if moved and positions[at].side != 0:
            positions[at].pending = 1
