"""The compiled steps of accounts: what `execution.stepper` calls on each candle."""

from __future__ import annotations

from typing import Any

import numpy as np

from execution.candle_step import Candle, Decision, decide, trade_candle, value_candle
from execution.columns import Columns
from execution.costs import on_tick
from execution.orders import entry_ordered, resting_exit, resting_level
from execution.portfolio_step import decide_step, trade_open, trade_within, value_step
from execution.positions import NEGLIGIBLE, leave_ended
from execution.terms import MARKET, Float, Int, kernel, rule
from execution.trades import write_excursions


@kernel
def step_candle(
    state: np.ndarray,
    terms_record: np.ndarray,
    trades: np.ndarray,
    trading: bool,
    deciding: bool,
    opened_ms: int,
    ended_ms: int,
    open_: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    fillable: bool,
    enter: bool,
    exit_: bool,
    enter_short: bool,
    exit_short: bool,
    measure: float,
    strength: float,
    stop: float,
    target: float,
    exit_price: float,
) -> tuple[int, float, float, float, int, float, float, float, bool]:
    """Take a candle of an account of one instrument, the decision on its close, or both."""
    account, terms = state[0], terms_record[0]
    candle = Candle(opened_ms, ended_ms, open_, high, low, close, volume, fillable)
    closed, value = 0, account.equity
    if trading:
        closed = trade_candle(account, candle, terms, trades, 0)
        for row in range(closed):
            _tell_range(account, trades[row], account.bar)
        if account.side != 0.0:
            if account.entry_bar == account.bar:
                account.top, account.bottom = -np.inf, np.inf
            # of a candle that a resting order entered the close alone is certain
            rested = account.entry_bar == account.bar and terms.entry_kind != MARKET
            _see_range(account, close if rested else high, close if rested else low)
        value = value_candle(account, candle, terms)
    if deciding and account.ruined == 0:
        decision = Decision(
            enter, exit_, enter_short, exit_short, measure, strength, stop, target, exit_price
        )
        decide(account, close, decision, terms)
    side, level = account.order_side, np.nan
    if side != 0.0 and terms.entry_kind != MARKET:
        level = on_tick(resting_level(account.order_close, side, terms), terms.tick)
    position = account.side * account.units if account.side != 0.0 else 0.0
    reason = account.exit_reason if account.side != 0.0 else 0
    limit = resting_exit(account) if reason else np.nan
    return closed, value, account.cash, position, reason, limit, side, level, account.ruined != 0


@kernel
def requested_entry(
    state: np.ndarray,
    terms_record: np.ndarray,
    close: float,
    enter: bool,
    exit_: bool,
    enter_short: bool,
    exit_short: bool,
    measure: float,
    strength: float,
    stop: float,
    target: float,
    exit_price: float,
) -> tuple[float, float, float, float, int]:
    """Return the fields of `stepper.RequestedEntry`; the state is not to be used again."""
    account, terms = state[0], terms_record[0]
    account.order_side = 0.0  # what rests from before is judged already
    decision = Decision(
        enter, exit_, enter_short, exit_short, measure, strength, stop, target, exit_price
    )
    decide(account, close, decision, terms)
    side = account.order_side
    if side == 0.0:
        return 0.0, 0.0, np.nan, np.nan, 0
    units, price, level = entry_ordered(account, account.equity, close, side, terms)
    if units == 0.0 and terms.lot > 0.0:
        units = terms.lot  # a better price may buy one
    exits = int(account.side != 0.0 and account.exit_reason != 0)
    return side, units, price, level, exits


@rule
def _see_range(held: Any, high: float, low: float) -> None:
    held.top, held.bottom = max(held.top, high), min(held.bottom, low)


@rule
def _tell_range(held: Any, row: np.void, now: int) -> None:
    """Write a closed trade's excursions: of its candles before this one, and of its exit."""
    top = bottom = row["exit_price"]
    if row["entry_bar"] < now:
        top, bottom = max(top, held.top), min(bottom, held.bottom)
    write_excursions(row, top, bottom)


@rule
def _columns_of(rows: Float) -> Columns:
    return Columns(
        rows[:, 0:1],
        rows[:, 1:2],
        rows[:, 2:3],
        rows[:, 3:4],
        rows[:, 4:5],
        rows[:, 5:6],
        rows[:, 6:7],
        rows[:, 7:8],
        rows[:, 8:9],
        rows[:, 9:10],
        rows[:, 10:11],
        rows[:, 11:12],
        rows[:, 12:13],
        rows[:, 13:14],
        rows[:, 14:15],
    )


@kernel
def step_portfolio(
    state: np.ndarray,
    positions: np.ndarray,
    terms_record: np.ndarray,
    rows: Float,
    trades: np.ndarray,
    traded: Int,
    opened_ms: int,
    ended_ms: int,
    due: bool,
    trading: bool,
    valuing: bool,
    deciding: bool,
) -> tuple[int, float, float, bool]:
    """Take a step of an account of several instruments: trade it, value it, take the decisions."""
    account, terms = state[0], terms_record[0]
    columns, now, closed = _columns_of(rows), 0, 0
    if trading:
        closed = trade_open(
            account, positions, columns, now, opened_ms, due, terms, trades, traded, closed
        )
        closed = trade_within(
            account, positions, columns, now, opened_ms, terms, trades, traded, closed
        )
        closed = leave_ended(
            account, positions, columns, now, ended_ms, terms, trades, traded, closed
        )
        for row in range(closed):
            _tell_range(positions[traded[row]], trades[row], account.step)
        for at in range(len(positions)):
            one = positions[at]
            if one.units != 0.0 and columns.has[at, now]:
                if one.opened_step == account.step:
                    one.top, one.bottom = -np.inf, np.inf
                _see_range(one, columns.high[at, now], columns.low[at, now])
    value = account.equity
    if valuing:
        value = value_step(account, positions, columns, now, ended_ms, terms)
    if deciding and account.ruined == 0:
        decide_step(account, positions, columns, now, terms)
    return closed, value, account.cash, account.ruined != 0


@kernel
def pending_purchases(
    state: np.ndarray, positions: np.ndarray, terms_record: np.ndarray, due: bool, purchases: Float
) -> None:
    """Write what each instrument's pending share would buy if nothing moved: (k, 3) float64.

    Columns: the side, 0.0 for none; the units; the price. due: whether all shares are restored.
    """
    account, terms = state[0], terms_record[0]
    worth = account.equity
    for at in range(len(positions)):
        one = positions[at]
        purchases[at, :] = 0.0
        if one.side == 0 or not (one.pending or due) or one.price <= 0.0:
            continue
        side = float(one.side)
        held = abs(one.units) if one.units * side > 0.0 else 0.0
        price = one.price * (1.0 + side * terms.costs.slippage)
        lacking = one.weight * one.scale * worth - held * one.price
        if lacking > NEGLIGIBLE * abs(worth):
            units = lacking / (price * (1.0 + terms.costs.fee))
            purchases[at, 0], purchases[at, 1], purchases[at, 2] = side, units, price
