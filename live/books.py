"""A book drives one account of one instrument with the backtest's own fills.

Its stepper is the backtest's, so that its trades and its equity are those of `mela backtest` on the
same candles, bit for bit. Orders and fills are told as a broker's would be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtests.execute import terms_of
from execution.candle_step import Candle, Decision
from execution.gated import Gate, gated_step
from execution.stepper import CandleStepper, Step
from execution.stepper import Order as Waiting
from execution.terms import LIMIT, MARKET, MOST_CANDLES, Terms
from live.account import (
    Mode,
    Orders,
    Place,
    Trading,
    asked,
    gate_restored,
    gate_saved,
    in_mode,
    is_near,
    judged_of,
    looking,
    reason_of,
)
from live.events import (
    CandleClosed,
    Derived,
    FillBooked,
    Held,
    Intended,
    OrderChanged,
    StateChanged,
    Traded,
    Valued,
)
from live.orders import Leg, OrderKind, OrderState
from live.sequence import Step as Taken
from mela.candles import Candles
from mela.run import LimitEntry, Run, StopEntry

KINDS: dict[int, OrderKind] = {MARKET: "market", LIMIT: "limit"}
ENTRY_REASON = "entry"


def live_terms(run: Run, candles: Candles) -> Terms:
    """Return what a run asks of its execution, where nobody knows how many candles there will be.

    Raises ValueError where prices are to be rounded to a tick that nobody knows.
    """
    terms = terms_of(run, candles)
    if isinstance(run.entry, LimitEntry | StopEntry):
        return terms._replace(valid_bars=min(run.entry.valid_bars, MOST_CANDLES))
    return terms


def candle_of(candle: CandleClosed, trading: Trading, lasting_ms: int) -> Candle:
    """Return a candle as the rules read it; volumes count units.

    A candle without volume fills nothing, in a series that has had volumes.
    """
    volume = candle.volume * trading.units if trading.units != 1.0 else candle.volume
    fillable = candle.volume > 0.0 or not trading.series.has_volume
    return Candle(
        candle.opened_ms,
        candle.opened_ms + lasting_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        volume,
        fillable,
    )


def traded_of(row: np.void, trading: Trading, opened: Sequence[int] | None = None) -> Traded:
    """Return a closed trade as an event; its size counts contracts.

    opened: when the steps that its bars count opened; None for those of its instrument
    """
    when = trading.series.opened_ms if opened is None else opened.__getitem__
    return Traded(
        trading.instrument,
        when(int(row["entry_bar"])),
        when(int(row["exit_bar"])),
        float(row["size"]) / trading.units,
        *(float(row[name]) for name in ("entry_price", "exit_price", "fees", "profit")),
        reason_of(int(row["reason"])),
        *(float(row[name]) for name in ("slippage", "borrow", "mae", "mfe")),
    )


def tell_gate(gate: Gate | None, instruments: list[str], step: Step, candle: Candle) -> None:
    """Let a gate know of a step that it did not judge. instruments: of each closed trade."""
    if gate is not None:
        profits: list[float] = step.trades["profit"].tolist()
        gate.after(step.equity, zip(instruments, profits, strict=True), float(candle.ended_ms))


class Teller:
    """Tells what a plain account did as orders and fills, for people and programs.

    It counts what it tells: units and money of all fills must be those of the account.
    """

    def __init__(self, place: Place) -> None:
        self._costs = place.run.costs
        self.orders = Orders(place.session_id)
        self.units = dict.fromkeys((one.instrument for one in place.traded), 0.0)
        self.paid = 0.0

    def fee(self, units: float, price: float) -> float:
        """Return the fee of a fill, as `execution.costs` has it."""
        return max(units * price * float(self._costs.fee), float(self._costs.minimum_fee))

    def fill(
        self,
        trading: Trading,
        leg: Leg,
        side: float,
        units: float,
        price: float,
        fee: float,
        taken: Taken,
        reason: str = ENTRY_REASON,
    ) -> list[Derived]:
        """Tell one fill, of the order that waits for it or of one that arose within the candle."""
        told: list[Derived] = []
        order = self.orders.waiting(trading.instrument, leg)
        if order is None or (leg == "exit" and reason in PROTECTIVE):
            kind = PROTECTIVE.get(reason, "market")
            told += self.end(
                trading, leg, taken.at_ms, OrderState.CANCELLED, f"{reason} came first"
            )
            order = self.orders.intend(
                *(trading.instrument, leg, side, taken.opened_ms, taken.at_ms),
                kind=kind, units=units / trading.units, reason=reason,
            )  # fmt: skip
            told.append(Intended(order, for_broker=False))
        fill_id = f"{order.client_order_id}/{len(self.orders.fill_ids.get(order.client_order_id, ())) + 1}"
        contracts = units / trading.units
        moved = self.orders.fill(order, fill_id, contracts, price, fee, taken.at_ms)
        told.append(
            FillBooked(
                order.client_order_id, fill_id, trading.instrument, order.side, contracts, price,
                fee, taken.at_ms,
            )
        )  # fmt: skip
        told.append(OrderChanged(moved))
        self.units[trading.instrument] += side * units
        self.paid += side * units * price + fee
        return told

    def end(
        self, trading: Trading, leg: Leg, at_ms: int, state: OrderState, why: str
    ) -> list[Derived]:
        """Tell that an order no longer waits."""
        order = self.orders.waiting(trading.instrument, leg)
        return [] if order is None else self.orders.answer(order, state, at_ms, why)

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"orders": self.orders.save(), "units": dict(self.units), "paid": self.paid}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.orders.restore(saved["orders"])
        self.units, self.paid = dict(saved["units"]), saved["paid"]


PROTECTIVE: dict[str, OrderKind] = {
    "stop_loss": "stop",
    "trailing_stop": "stop",
    "take_profit": "limit",
}


class PlainBook:
    """An account of one instrument whose fills are a backtest's."""

    def __init__(self, place: Place) -> None:
        (self._trading,) = place.traded
        self._place = place
        before = self._trading.series.candles(len(self._trading.series))
        bar = max(len(before) - 1, 0)
        self._stepper = CandleStepper(live_terms(place.run, before), float(place.run.cash), bar=bar)
        risk = getattr(place.run, "risk", None)
        self._gate = None if risk is None else Gate(risk, float(place.run.cash))
        self._look = None if self._gate is None else looking(place.traded, self._gate)
        self._teller = Teller(place)
        self.is_ruined = False

    @property
    def orders(self) -> Orders:
        """Return the orders of the account."""
        return self._teller.orders

    @property
    def gate(self) -> Gate | None:
        """Return the gate of the account, None where it has no limits."""
        return self._gate

    @property
    def is_holding(self) -> bool:
        """Tell whether it has a position."""
        return float(self._stepper.state["side"][0]) != 0.0

    @property
    def is_waiting(self) -> bool:
        """Tell whether a broker has open orders of it: there is none."""
        return False

    def begin(self) -> list[Derived]:
        """Take the decision on the last warm-up candle."""
        series = self._trading.series
        told: list[Derived] = []
        if len(series):
            self._stepper.warm(float(series.column("close", 1)[0]), self._decided(told))
        return told

    def _decided(self, told: list[Derived]) -> Decision:
        return asked(self._trading, lambda: self._trading.decider.said().decision, told)

    def step(self, taken: Taken, mode: Mode) -> list[Derived]:
        """Take one candle whose series has it already."""
        (closed,) = taken.candles
        if closed is None or self.is_ruined:
            return []
        candle = candle_of(closed, self._trading, self._place.lasting_ms)
        told: list[Derived] = []
        decision = in_mode(self._decided(told), mode)
        if mode != "active":
            self._stepper.cancel_entry()
        before = self._stepper.state
        if self._gate is None or self._look is None or mode == "leaving":
            step = self._stepper.step(candle, decision)
            tell_gate(self._gate, [self._trading.instrument] * len(step.trades), step, candle)
        else:
            step, judged = gated_step(
                *(self._gate, self._stepper, self._trading.instrument, candle, decision),
                self._look,
                at_ms=float(max(taken.at_ms, candle.ended_ms)),
            )
            told += judged_of(judged, taken.opened_ms)
        after = self._stepper.state
        told = [*self._fills(step, before, after, taken), *told]
        told += self._waiting(step, before, after, taken)
        told.append(self._valued(step, after, candle, taken))
        if step.ruined:
            self.is_ruined = True
            why = "the equity is gone: the account is ruined, and takes no further step"
            told.append(StateChanged("session", self._place.number, "stopped", why))
        self.orders.forget(taken.at_ms, 0)
        return told

    def _fills(
        self, step: Step, before: np.ndarray, after: np.ndarray, taken: Taken
    ) -> list[Derived]:
        """Tell what filled on a candle: exits, entries, and exits of these."""
        told: list[Derived] = []
        trading, teller, bar = self._trading, self._teller, int(before["bar"][0])
        for row in step.trades:
            side, units = math.copysign(1.0, float(row["size"])), abs(float(row["size"]))
            entry_price, fees = float(row["entry_price"]), float(row["fees"])
            entry_fee = float(before["entry_fee"][0])
            if int(row["entry_bar"]) == bar:
                entry_fee = teller.fee(units, entry_price)
                told += teller.fill(trading, "enter", side, units, entry_price, entry_fee, taken)
            reason, price = reason_of(int(row["reason"])), float(row["exit_price"])
            told += teller.fill(
                trading, "exit", -side, units, price, fees - entry_fee, taken, reason
            )
            teller.paid += float(row["borrow"])
            told.append(traded_of(row, trading))
        if float(after["side"][0]) != 0.0 and int(after["entry_bar"][0]) == bar:
            side, units = float(after["side"][0]), float(after["units"][0])
            price, fee = float(after["entry_price"][0]), float(after["entry_fee"][0])
            told += teller.fill(trading, "enter", side, units, price, fee, taken)
        return told

    def _waiting(
        self, step: Step, before: np.ndarray, after: np.ndarray, taken: Taken
    ) -> list[Derived]:
        """Tell which orders no longer wait, and which new ones do."""
        told: list[Derived] = []
        for leg, is_entry in (("exit", False), ("enter", True)):
            wanted = next((one for one in step.orders if (one.reason == 0) == is_entry), None)
            known = self.orders.waiting(self._trading.instrument, leg)
            if known is not None and wanted is not None and self._is_same(known, wanted):
                continue
            if known is not None:
                was_refused = is_entry and after["rejected"][0] > before["rejected"][0]
                state = OrderState.REJECTED if was_refused else OrderState.CANCELLED
                why = "the account could not bear it" if was_refused else "no longer wanted"
                told += self._teller.end(self._trading, leg, taken.at_ms, state, why)
            if wanted is not None:
                reason = ENTRY_REASON if is_entry else reason_of(wanted.reason)
                order = self.orders.intend(
                    *(self._trading.instrument, leg, wanted.side, taken.opened_ms, taken.at_ms),
                    kind=KINDS.get(wanted.kind, "stop"),
                    units=wanted.units / self._trading.units,
                    level=wanted.level,
                    reason=reason,
                )
                told.append(Intended(order, for_broker=False))
        return told

    def _is_same(self, known: Any, wanted: Waiting) -> bool:
        levels = known.level, wanted.level
        return (
            known.side == ("buy" if wanted.side > 0.0 else "sell")
            and known.kind == KINDS.get(wanted.kind, "stop")
            and (levels[0] == levels[1] or all(map(math.isnan, levels)))
        )

    def _valued(self, step: Step, after: np.ndarray, candle: Candle, taken: Taken) -> Valued:
        held: tuple[Held, ...] = ()
        if step.position != 0.0:
            units, price = step.position / self._trading.units, float(after["entry_price"][0])
            value = step.position * candle.close
            held = (Held(self._trading.instrument, units, price, candle.close, value),)
        return Valued(
            self._place.number, taken.opened_ms, candle.ended_ms, step.equity, step.cash, held
        )

    def faults(self) -> list[str]:
        """Return what does not add up: the position, or the cash, against all fills."""
        state, teller = self._stepper.state, self._teller
        position = float(state["side"][0] * state["units"][0])
        told = teller.units[self._trading.instrument]
        faults: list[str] = []
        if not is_near(position, told, float(state["units"][0])):
            faults.append(f"position {position!r} is not the sum of fills {told!r}")
        cash = float(state["cash"][0])
        borrow = float(state["position_borrow"][0]) if position else 0.0
        sum_ = float(self._place.run.cash) - teller.paid - borrow
        if not is_near(cash, sum_, float(state["traded"][0]) + self._place.run.cash):
            faults.append(f"cash {cash!r} is not what fills leave of it {sum_!r}")
        return faults

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "stepper": self._stepper.save().hex(),
            "teller": self._teller.save(),
            "gate": gate_saved(self._gate),
            "is_ruined": self.is_ruined,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._stepper.restore(bytes.fromhex(saved["stepper"]))
        self._teller.restore(saved["teller"])
        gate_restored(self._gate, saved["gate"])
        self.is_ruined = saved["is_ruined"]
