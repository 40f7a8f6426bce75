"""The numbers of an account that a broker fills: a backtest's record and rules, its own fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from execution.account import ACCOUNT, begin_account, record_type
from execution.candle_step import Candle, Decision
from execution.fills import (
    ROUND_TRIP,
    begin_round_trip,
    close_candle,
    entry_on_close,
    order_on_close,
    stop_on_close,
    take_fill,
)
from execution.gate import Ask, View
from execution.gated import Gate, Market
from execution.terms import Terms
from execution.trades import SIGNAL, TRADES
from live.account import Place, is_near, reason_of
from live.books import live_terms, traded_of
from live.decisions import Series
from live.events import Alerted, CandleClosed, FillBooked, Filled, Held, Judged, Traded
from live.orders import SMALLEST, Order, OrderKind
from live.peers import Exposure, free

MOVED = 1e-4  # of the level: a stop that moved by less stays where it rests


class Wish(NamedTuple):
    """An order that an account wants. units: of what its price is of; level: NaN for none."""

    kind: OrderKind
    units: float
    level: float
    reason: str


class BrokerAccount:
    """An account of one instrument. Its record counts units; what it tells counts contracts."""

    def __init__(self, place: Place) -> None:
        (self._trading,) = place.traded
        self.instrument = self._trading.instrument
        before = self._trading.series.candles(len(self._trading.series))
        self.terms: Terms = live_terms(place.run, before)
        self._cash = float(place.run.cash)
        self._record = np.array([self.terms], record_type(Terms))
        # the first decision that counts is that of the first candle: no price from before the start
        # fills anything
        self._state = begin_account(self._cash, len(before))
        self._trip, self._rows = begin_round_trip(), np.zeros(1, TRADES)
        self._units, self._paid = 0.0, 0.0  # of all fills
        self._top, self._bottom = -math.inf, math.inf  # of the candles that the position has seen
        self.close, self.closed_ms = math.nan, 0

    def _get(self, name: str) -> float:
        return float(self._state[name][0])

    @property
    def side(self) -> float:
        """Return the side of the position: +1, -1, or 0 while flat."""
        return self._get("side")

    @property
    def position(self) -> float:
        """Return the contracts held, negative for a short position."""
        return self.side * self._get("units") / self._trading.units

    @property
    def cash(self) -> float:
        """Return the cash of the account."""
        return self._get("cash")

    @property
    def equity(self) -> float:
        """Return the equity on the last close."""
        return self._get("equity")

    @property
    def wanted(self) -> float:
        """Return the side of the entry that is wanted, 0 for none."""
        return self._get("order_side")

    @property
    def is_leaving(self) -> bool:
        """Tell whether the position is to be closed."""
        return self.side != 0.0 and self._get("exit_reason") != 0.0

    @property
    def is_allowed(self) -> bool:
        """Tell whether the position is one that the run may have."""
        if self.side == 0.0:
            return True
        return self.terms.longs if self.side > 0.0 else self.terms.shorts

    def take_close(self, candle: Candle) -> float:
        """Take a closed candle; return the equity on its close."""
        if self.side != 0.0:
            self._top, self._bottom = max(self._top, candle.high), min(self._bottom, candle.low)
        equity = float(close_candle(self._state, self._record, *candle))
        self.close, self.closed_ms = candle.close, candle.ended_ms
        return equity

    def decide(self, decision: Decision) -> bool:
        """Take the decision on the last close; tell whether it ordered an entry."""
        names = ("order_side", "order_close", "order_expires")
        before = [self._get(name) for name in names]
        order_on_close(self._state, self._record, self.close, *decision)
        return self.wanted != 0.0 and before != [self._get(name) for name in names]

    def forget_entry(self, *, is_refused: bool = False) -> None:
        """Want no entry any more."""
        self._state["order_side"] = 0.0
        self._state["rejected"] += is_refused

    def leave(self) -> None:
        """Want to close the position with a market order, whatever it waits for."""
        if self.side != 0.0:
            if not self.is_leaving:
                self._state["exit_reason"] = SIGNAL
            self._state["exit_expires"] = 0

    def entry(self) -> tuple[float, float]:
        """Return the units and the level of the entry wanted; as `fills.entry_on_close` says."""
        units, level = entry_on_close(self._state, self._record, self.close, self.wanted)
        return float(units), float(level)

    def exit(self) -> Wish:
        """Return the exit wanted."""
        rests = self._get("bar") <= self._get("exit_expires")
        level = self._get("exit_level") if rests else math.nan
        reason = reason_of(int(self._get("exit_reason")))
        return Wish("limit" if rests else "market", self._get("units"), level, reason)

    def stop(self) -> Wish | None:
        """Return the stop that protects the position; None without one, and while it leaves."""
        why, level = stop_on_close(self._state, self._record)
        units = self._get("units")
        if self.is_leaving or why == 0 or units <= SMALLEST * self._trading.units:
            return None
        return Wish("stop", units, float(level), reason_of(int(why)))

    def has_moved(self, order: Order, stop: Wish | None) -> bool:
        """Tell whether a stop that rests is not the one that the position has now."""
        if stop is None:
            return True
        is_whole = is_near(order.left * self._trading.units, stop.units, order.units)
        return not is_whole or abs(order.level - stop.level) > MOVED * stop.level

    def take_fill(self, event: Filled, hoped: float, why: int = 0) -> Traded | None:
        """Take a fill; return the trade that it ended.

        hoped: the price the order hoped for; why: the reason of a stop that rested
        """
        waits_for = int(self._get("exit_reason"))
        self._state["exit_reason"] = why or waits_for
        side, units = (1.0 if event.side == "buy" else -1.0), event.units * self._trading.units
        was_flat, borrowed = self.side == 0.0, self._get("borrow")
        closed = take_fill(
            self._state, self._trip, self._record, self._rows, side, units, event.price, event.fee,
            hoped, event.at_ms,
        )  # fmt: skip
        if not closed:
            self._state["exit_reason"] = waits_for
        self._units += side * units
        self._paid += side * units * event.price + event.fee
        row = self._rows[0]
        if closed:
            self._paid += self._get("borrow") - borrowed
            _write_range(row, self._top, self._bottom)
        if closed or was_flat:
            self._top, self._bottom = -math.inf, math.inf
        bars = _Bars(self._trading.series, self.closed_ms)
        return traded_of(row, self._trading, bars) if closed else None

    def add_cash(self, cash: float) -> None:
        """Take money that came or went without a fill."""
        self._state["cash"] += cash
        self._paid -= cash

    def held(self) -> tuple[Held, ...]:
        """Return the position on the last close, none while flat."""
        if self.side == 0.0:
            return ()
        value = self.position * self._trading.units * self.close
        average = self._get("entry_price")
        return (Held(self._trading.instrument, self.position, average, self.close, value),)

    def faults(self) -> list[str]:
        """Return what does not add up: position and cash against all fills.

        The average price is the audit's to check, which counts the fills by itself.
        """
        faults: list[str] = []
        position, bought = self.side * self._get("units"), float(self._trip["bought"][0])
        if not is_near(position, self._units, max(bought, 1e-9)):
            faults.append(f"position {position!r} is not the sum of fills {self._units!r}")
        borrow = self._get("position_borrow") if position else 0.0
        sum_ = self._cash - self._paid - borrow
        if not is_near(self.cash, sum_, self._cash + self._get("traded")):
            faults.append(f"cash {self.cash!r} is not what fills leave of it {sum_!r}")
        return faults

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "account": self._state.tobytes().hex(),
            "trip": self._trip.tobytes().hex(),
            "sums": [self._units, self._paid, self._top, self._bottom],
            "last": [self.close, self.closed_ms],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._state = np.frombuffer(bytes.fromhex(saved["account"]), ACCOUNT).copy()
        self._trip = np.frombuffer(bytes.fromhex(saved["trip"]), ROUND_TRIP).copy()
        self._units, self._paid, self._top, self._bottom = saved["sums"]
        self.close, self.closed_ms = saved["last"]


def booked(event: Filled) -> FillBooked:
    """Return a fill as one that counts."""
    return FillBooked(
        *(event.client_order_id, event.fill_id, event.instrument, event.side),
        *(event.units, event.price, event.fee, event.at_ms),
    )


def judge_entry(
    gate: Gate,
    account: BrokerAccount,
    market: Market,
    candle_ms: int,
    at_ms: int,
    side: float,
    units: float,
    level: float,
    open_orders: int,
    power: float,
    over: Exposure | None = None,
) -> Judged:
    """Let a gate judge the entry of a flat account, and say what it saw.

    at_ms: now, UTC milliseconds; power: cash × power is free for an entry
    over: what all accounts of the session have, over which exposure, leverage, the money that is
        free and the orders that wait are judged; None for this one alone
    """
    ask, own = Ask(account.instrument, side, units, level), account.cash * power
    view = View(
        state=gate.state,
        at_ms=float(max(at_ms, account.closed_ms)),
        price_ms=float(account.closed_ms),
        price=account.close,
        position=0.0,
        gross=0.0 if over is None else over.gross,
        net=0.0 if over is None else over.net,
        open_orders=float(open_orders) if over is None else over.open_orders,
        buying_power=own if over is None else free(over, power, own),
        whole=None if over is None else over.equity,
        **market._asdict(),
    )
    verdict = gate.review(view, ask)
    return Judged(
        *(ask.instrument, candle_ms, verdict.allowed, verdict.code, units),
        *(verdict.units, dict(verdict.saw)),
    )


def stale(closed: CandleClosed) -> Alerted:
    """Say that a candle is too old to enter on."""
    name = closed.instrument
    late_s = (closed.received_ms - closed.interval.end_ms(closed.opened_ms)) / 1000
    text = f"{name}: a candle came {late_s:,.0f} s after its close: no entry follows from it"
    return Alerted("warning", f"stale:{name}", text)


class _Bars:
    """When the candle of each bar opened; the one to come opens where the last one closed."""

    def __init__(self, series: Series, next_ms: int) -> None:
        self._series, self._next_ms = series, next_ms

    def __getitem__(self, bar: int) -> int:
        return self._series.opened_ms(bar) if bar < len(self._series) else self._next_ms


def _write_range(row: np.void, top: float, bottom: float) -> None:
    """Write how far prices went against a trade and for it, its exit included."""
    price, entry = float(row["exit_price"]), float(row["entry_price"])
    side = math.copysign(1.0, float(row["size"]))
    top, bottom = max(top, price), min(bottom, price)
    worst, best = (bottom, top) if side > 0.0 else (top, bottom)
    row["mae"] = min(side * (worst / entry - 1.0), 0.0)
    row["mfe"] = max(side * (best / entry - 1.0), 0.0)
