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
from execution.candle_step import Candle, Decision
from execution.step_kernels import pending_purchases, requested_entry, step_candle, step_portfolio
from execution.terms import LIMIT, MARKET, Float, Int, PortfolioTerms, Terms
from execution.trades import TRADES

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


class RequestedEntry(NamedTuple):
    """An entry that a decision would order.

    units: sized at `price`, what it would fill at if nothing moved; 0.0 where it will be rejected
    level: where it rests, NaN for a market order; exits: orders that close what is held before it
    """

    side: float
    units: float
    price: float
    level: float
    exits: int


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
        self.decide(close, decision)

    def step(self, candle: Candle, decision: Decision = NO_DECISION) -> Step:
        """Take one closed candle and the decision on its close. Raises ValueError once ruined."""
        _refuse_ruined(self._state)
        return self._taken(True, True, candle, decision)

    def trade(self, candle: Candle) -> Step:
        """Take one closed candle without a decision on its close, which `decide` then takes.

        The two of them are one `step`; in between, the account can be looked at. The orders of the
        returned step are those that rest from before. Raises ValueError once ruined.
        """
        _refuse_ruined(self._state)
        return self._taken(True, False, candle, NO_DECISION)

    def decide(self, close: float, decision: Decision) -> Step:
        """Take the decision on a close; the returned step has the orders that wait after it."""
        return self._taken(False, True, _NO_CANDLE._replace(close=close), decision)

    @property
    def state(self) -> np.ndarray:
        """Return a copy of the account, (1,) ACCOUNT."""
        return _copied(self._state)

    def requested_entry(self, close: float, decision: Decision) -> RequestedEntry | None:
        """Return the entry that a decision on this close would order; None where it orders none."""
        trial = _copied(self._state)
        entry = RequestedEntry(*requested_entry(trial, self._terms, close, *decision))
        return entry if entry.side else None

    def order_at_most(self, units: float) -> None:
        """Bound the units with which ordered entries fill, from now on; infinity bounds nothing."""
        self._state["order_most"] = units

    def cancel_entry(self) -> None:
        """Cancel the entry that waits, if there is one."""
        self._state["order_side"] = 0.0

    def _taken(self, trading: bool, deciding: bool, candle: Candle, decision: Decision) -> Step:
        closed, equity, cash, position, reason, limit, side, level, ruined = step_candle(
            self._state, self._terms, self._trades, trading, deciding, *candle, *decision
        )
        orders: tuple[Order, ...] = ()
        if reason:
            kind = MARKET if math.isnan(limit) else LIMIT
            orders = (Order(-math.copysign(1.0, position), kind, limit, abs(position), reason),)
        if side:
            orders = (*orders, Order(side, self._kind, level, math.nan, 0))
        return Step(equity, cash, position, _copied(self._trades[:closed]), orders, ruined)

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
        step_portfolio(
            *(self._account, self._positions, self._terms, self._rows, self._trades, self._traded),
            *(0, 0, False, False, True, True),
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
        return self._taken(opened_ms, ended_ms, due, True, True)

    def trade(
        self,
        opened_ms: int,
        ended_ms: int,
        candles: Sequence[Candle | None],
        weights: Sequence[float],
        *,
        due: bool = False,
    ) -> tuple[Step, Int]:
        """Take candles without the decisions on their closes, which `decide` then takes.

        The two of them are one `step`; in between, the account can be looked at.
        """
        _refuse_ruined(self._account)
        self._fill(candles, [NO_DECISION] * len(candles), weights)
        return self._taken(opened_ms, ended_ms, due, True, False)

    def decide(
        self,
        candles: Sequence[Candle | None],
        decisions: Sequence[Decision],
        weights: Sequence[float],
    ) -> None:
        """Take the decisions on the closes of candles that `trade` has taken."""
        self._fill(candles, decisions, weights)
        self._taken(0, 0, False, False, True)

    def pending_purchases(self, *, due: bool = False) -> Float:
        """Return what the pending shares would buy if nothing moved: (k, 3) float64.

        due: count all shares as pending; columns: side, 0.0 for none; units; price
        """
        purchases = np.empty((len(self._positions), 3))
        pending_purchases(self._account, self._positions, self._terms, due, purchases)
        return purchases

    def buy_at_most(self, at: int, units: float) -> None:
        """Bound what an instrument's next purchases add, from now on; infinity bounds nothing."""
        self._positions["most"][at] = units

    def cancel_entry(self, at: int) -> bool:
        """Cancel the entry of an instrument that waits; tell whether one did. An exit goes on."""
        one = self._positions[at]
        held = float(np.sign(one["units"]))
        if not one["pending"] or float(one["side"]) in (0.0, held):
            return False
        one["side"], one["pending"] = 0, held != 0.0
        return True

    @property
    def cash(self) -> float:
        """Return the cash of the account."""
        return float(self._account["cash"][0])

    @property
    def account(self) -> np.ndarray:
        """Return a copy of the account, (1,) PORTFOLIO_ACCOUNT."""
        return _copied(self._account)

    @property
    def positions(self) -> np.ndarray:
        """Return a copy of the positions, (k,) POSITION."""
        return _copied(self._positions)

    def _taken(
        self, opened_ms: int, ended_ms: int, due: bool, trading: bool, deciding: bool
    ) -> tuple[Step, Int]:
        closed, equity, cash, ruined = step_portfolio(
            *(self._account, self._positions, self._terms, self._rows, self._trades, self._traded),
            *(opened_ms, ended_ms, due, trading, trading, deciding),
        )
        trades, traded = _copied(self._trades[:closed]), self._traded[:closed].copy()
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
    return np.frombuffer(bytearray(memoryview(saved)[len(made_with) :]), like.dtype)


def _refuse_ruined(state: np.ndarray) -> None:
    if state["ruined"][0]:
        raise ValueError("a ruined account takes no further step: begin another one")


def _copied(records: np.ndarray) -> np.ndarray:
    """Return a copy, made at once: numpy copies records field by field, twenty times as slowly."""
    return np.frombuffer(bytearray(records.tobytes()), records.dtype)
