"""Step an account candle by candle from Python, with the same rules as a whole run.

A stepper takes a closed candle with the decision made on its close, and says what that changed.
Its state can be saved at any close, restored into another stepper of the same terms, and compared.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from execution.account import begin_account, begin_portfolio, record_type
from execution.candle_step import Candle, Decision, decide, trade_candle, value_candle
from execution.columns import Columns
from execution.costs import on_tick
from execution.orders import resting_exit, resting_level
from execution.portfolio_step import decide_step, trade_open, trade_within, value_step
from execution.positions import leave_ended
from execution.terms import LIMIT, MARKET, Float, Int, PortfolioTerms, Terms, kernel, rule
from execution.trades import TRADES, write_excursions

_NO_CANDLE = Candle(0, 0, math.nan, math.nan, math.nan, math.nan, 0.0, False)
NO_DECISION = Decision(False, False, False, False, math.nan, 1.0, math.nan, math.nan)


class Order(NamedTuple):
    """An order that waits for the next candle.

    side: +1 to buy, −1 to sell
    kind: MARKET, LIMIT or STOP; level: of a resting order, NaN for a market order
    units: what it closes; NaN for an entry, which is sized when it fills
    reason: why it closes a position, as in `trades`; 0 for an entry
    """

    side: float
    kind: int
    level: float
    units: float
    reason: int


class Step(NamedTuple):
    """An account after a candle.

    equity: on its close; position: the units held, negative for a short one
    trades: (m,) TRADES, the trades that this candle closed, in order
    orders: what waits for the next candle
    ruined: whether the equity is gone; a ruined account takes no further step
    """

    equity: float
    cash: float
    position: float
    trades: np.ndarray
    orders: tuple[Order, ...]
    ruined: bool


class CandleStepper:
    """Step an account of one instrument.

    terms: what the run asks, as `backtests.execute.terms_of` gives it
    bar: the number of the first candle, from which trades count their bars
    """

    def __init__(self, terms: Terms, cash: float, *, bar: int = 0) -> None:
        self._terms = _as_record(terms)
        self._kind = terms.entry_kind
        self._state = begin_account(cash, bar)
        self._trades = np.zeros(2, TRADES)
        self._made_with = _digest(self._state.dtype, terms)

    def warm(self, close: float, decision: Decision) -> None:
        """Take the decision of the last candle before the start, where nothing fills."""
        candle = _NO_CANDLE._replace(close=close)
        _step_candle(self._state, self._terms, self._trades, False, *candle, *decision)

    def step(self, candle: Candle, decision: Decision = NO_DECISION) -> Step:
        """Take one closed candle and the decision on its close. Raises ValueError once ruined."""
        _refuse_ruined(self._state)
        closed, equity, cash, position, reason, limit, side, level, ruined = _step_candle(
            self._state, self._terms, self._trades, True, *candle, *decision
        )
        orders: tuple[Order, ...] = ()
        if reason:
            kind = MARKET if math.isnan(limit) else LIMIT
            orders = (Order(-math.copysign(1.0, position), kind, limit, abs(position), reason),)
        if side:
            orders = (*orders, Order(side, self._kind, level, math.nan, 0))
        return Step(equity, cash, position, self._trades[:closed].copy(), orders, ruined)

    def save(self) -> bytes:
        """Return the state as bytes, for `restore`."""
        return self._made_with + self._state.tobytes()

    def restore(self, saved: bytes) -> None:
        """Go on from a saved state. Raises ValueError for a state of other terms."""
        self._state = _restored(saved, self._made_with, self._state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CandleStepper) and self.save() == other.save()

    __hash__ = None  # type: ignore[assignment]


class PortfolioStepper:
    """Step an account of several instruments.

    terms: what the run asks of the account; lots: what whole units of each are rounded to
    """

    def __init__(self, terms: PortfolioTerms, cash: float, lots: Sequence[float]) -> None:
        k = len(lots)
        self._terms = _as_record(terms)
        self._account, self._positions = begin_portfolio(cash, np.array(lots, np.float64))
        self._rows = np.zeros((k, _COLUMNS))
        self._trades, self._traded = np.zeros(2 * k, TRADES), np.zeros(2 * k, np.int64)
        self._made_with = _digest(self._account.dtype, self._positions.dtype, k, terms)

    def warm(
        self,
        candles: Sequence[Candle | None],
        decisions: Sequence[Decision],
        weights: Sequence[float],
    ) -> None:
        """Take the decisions of the last candles before the start, where nothing fills."""
        self._fill(candles, decisions, weights)
        _step_portfolio(
            *(self._account, self._positions, self._terms, self._rows, self._trades, self._traded),
            *(0, 0, False, False),
        )

    def step(
        self,
        opened_ms: int,
        ended_ms: int,
        candles: Sequence[Candle | None],
        decisions: Sequence[Decision],
        weights: Sequence[float],
        *,
        due: bool = False,
    ) -> tuple[Step, Int]:
        """Take the closed candles that opened at one time, and the decisions on their closes.

        candles: of each instrument; None for one without a candle, whose decision is not read
        weights: the target weight of each as known on these closes; NaN for one that has no
            further candle, which is left at this close
        due: whether all shares are to be restored at this open
        returns: the step, whose orders are left out and whose position is what all are worth, and
            the instrument of each closed trade
        Raises ValueError once the account is ruined.
        """
        _refuse_ruined(self._account)
        self._fill(candles, decisions, weights)
        closed, equity, cash, ruined = _step_portfolio(
            *(self._account, self._positions, self._terms, self._rows, self._trades, self._traded),
            *(opened_ms, ended_ms, due, True),
        )
        trades, traded = self._trades[:closed].copy(), self._traded[:closed].copy()
        return Step(equity, cash, equity - cash, trades, (), ruined), traded

    @property
    def units(self) -> Float:
        """Return the units held of each instrument, (k,) float64."""
        return self._positions["units"].copy()

    @property
    def pending(self) -> np.ndarray:
        """Tell for each instrument whether its share is to be traded at its next open."""
        return self._positions["pending"] != 0

    def save(self) -> bytes:
        """Return the state as bytes, for `restore`."""
        return self._made_with + self._account.tobytes() + self._positions.tobytes()

    def restore(self, saved: bytes) -> None:
        """Go on from a saved state. Raises ValueError for a state of other terms."""
        size = len(self._made_with) + self._account.nbytes
        self._account = _restored(saved[:size], self._made_with, self._account)
        self._positions = _restored(
            self._made_with + saved[size:], self._made_with, self._positions
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortfolioStepper) and self.save() == other.save()

    __hash__ = None  # type: ignore[assignment]

    def _fill(
        self,
        candles: Sequence[Candle | None],
        decisions: Sequence[Decision],
        weights: Sequence[float],
    ) -> None:
        self._rows[:] = [
            (*_NO_ROW, weight)
            if candle is None
            else (1.0, candle[7], *candle[2:7], *decision[:4], *decision[5:8], weight)
            for candle, decision, weight in zip(candles, decisions, weights, strict=True)
        ]


_COLUMNS = 15
_NO_ROW = (0.0,) * (_COLUMNS - 1)


def _as_record(terms: Terms | PortfolioTerms) -> np.ndarray:
    """Return terms as a record: what tells a compiled function its type is quick to look up."""
    return np.array([terms], record_type(type(terms)))


def _digest(*made_with: Any) -> bytes:
    return hashlib.sha256(repr(made_with).encode()).digest()


def _restored(saved: bytes, made_with: bytes, like: np.ndarray) -> np.ndarray:
    if saved[: len(made_with)] != made_with:
        raise ValueError(
            "a state must be restored by a stepper of the terms and the version that saved it, "
            "but this one differs: step its candles again from the start"
        )
    if len(saved) != len(made_with) + like.nbytes:
        raise ValueError(
            f"a saved state must have {len(made_with) + like.nbytes} bytes, but has {len(saved)}: "
            "save it again"
        )
    return np.frombuffer(saved, like.dtype, offset=len(made_with)).copy()


def _refuse_ruined(state: np.ndarray) -> None:
    if state["ruined"][0]:
        raise ValueError("a ruined account takes no further step: begin another one")


@kernel
def _step_candle(
    state: np.ndarray,
    terms_record: np.ndarray,
    trades: np.ndarray,
    trading: bool,
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
    if account.ruined == 0:
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
def _step_portfolio(
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
) -> tuple[int, float, float, bool]:
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
    value = value_step(account, positions, columns, now, ended_ms, terms)
    if account.ruined == 0:
        decide_step(account, positions, columns, now, terms)
    return closed, value, account.cash, account.ruined != 0
