"""A book drives one account of one instrument with the backtest's own fills.

Its stepper is the backtest's, so that its trades and its equity are those of `mela backtest` on the
same candles, bit for bit. Orders and fills are told as a broker's would be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from backtests.execute import terms_of
from execution.candle_step import Candle, Decision
from execution.gated import Gate, gated_step, gated_warm
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
    Held,
    Intended,
    StateChanged,
    Traded,
    Valued,
)
from live.orders import Leg, OrderKind, OrderState
from live.sequence import Step as Taken
from live.telling import ENTRY_REASON, NEWS, Teller
from mela.candles import Candles
from mela.run import LimitEntry, MarketEntry, Run, StopEntry

LEGS: tuple[Leg, ...] = ("exit", "enter")
KINDS: dict[int, OrderKind] = {MARKET: "market", LIMIT: "limit"}


class Opened(Protocol):
    """When the candle, or the step, of each number opened."""

    def __getitem__(self, number: int, /) -> int:
        """Return the opening of one."""
        ...


def live_terms(run: Run, candles: Candles) -> Terms:
    """Return what a run asks of its execution, where nobody knows how many candles there will be.

    Raises ValueError where prices are to be rounded to a tick that nobody knows.
    """
    terms = terms_of(run, candles)
    if isinstance(run.entry, LimitEntry | StopEntry):
        return terms._replace(valid_bars=min(run.entry.valid_bars, MOST_CANDLES))
    return terms


def candle_of(candle: CandleClosed, trading: Trading, place: Place) -> Candle:
    """Return a candle as the rules read it; volumes count units.

    A candle without volume fills nothing, in a series that has had volumes, nor does one outside
    the hours in which the run trades.
    """
    volume = candle.volume * trading.units if trading.units != 1.0 else candle.volume
    fillable = candle.volume > 0.0 or not trading.series.has_volume
    fillable = fillable and place.is_in_hours(trading, candle.opened_ms)
    return Candle(
        candle.opened_ms,
        candle.opened_ms + place.lasting_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        volume,
        fillable,
    )


def traded_of(row: np.void, trading: Trading, opened: Opened | None = None) -> Traded:
    """Return a closed trade as an event; its size counts contracts.

    opened: when the steps that its bars count opened; None for those of its instrument
    """
    when = trading.series.opened_ms if opened is None else opened.__getitem__
    return Traded(
        instrument=trading.instrument,
        entry_ms=when(int(row["entry_bar"])),
        exit_ms=when(int(row["exit_bar"])),
        size=float(row["size"]) / trading.units,
        entry_price=float(row["entry_price"]),
        exit_price=float(row["exit_price"]),
        fees=float(row["fees"]),
        profit=float(row["profit"]),
        exit_reason=reason_of(int(row["reason"])),
        slippage=float(row["slippage"]),
        borrow=float(row["borrow"]),
        mae=float(row["mae"]),
        mfe=float(row["mfe"]),
    )


def tell_gate(gate: Gate | None, instruments: list[str], step: Step, candle: Candle) -> None:
    """Let a gate know of a step that it did not judge. instruments: of each closed trade."""
    if gate is not None:
        profits: list[float] = step.trades["profit"].tolist()
        gate.after(step.equity, zip(instruments, profits, strict=True), float(candle.ended_ms))


class PlainBook:
    """An account of one instrument whose fills are a backtest's."""

    def __init__(self, place: Place) -> None:
        (self._trading,) = place.traded
        self._place = place
        before = self._trading.series.candles(len(self._trading.series))
        bar = max(len(before) - 1, 0)
        self._stepper = CandleStepper(live_terms(place.run, before), float(place.run.cash), bar=bar)
        risk, self._ended_ms = place.run.risk, 0.0
        self._gate = None if risk is None else Gate(risk, float(place.run.cash))
        self._look = (
            None if self._gate is None else looking(place, self._gate, lambda _: self._ended_ms)
        )
        self._power = max(float(place.run.sizing.max_exposure), 1.0)
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
        if not len(series):
            return told
        opened_ms, decision = series.opened_ms(len(series) - 1), self._decided(told)
        values = series.at(opened_ms)
        assert values is not None  # noqa: S101  it is the last one
        key = self._trading.instrument, self._place.run.interval
        open_, high, low, close, volume = values
        last = CandleClosed(*key, opened_ms, open_, high, low, close, volume, opened_ms)
        candle = candle_of(last, self._trading, self._place)
        self._ended_ms = float(candle.ended_ms)
        if self._gate is None or self._look is None:
            self._stepper.warm(candle.close, decision)
            return told
        name = self._trading.instrument
        judged = gated_warm(
            self._gate, self._stepper, name, candle, decision, self._look, power=self._power
        )
        return [*told, *judged_of(judged, opened_ms)]

    def _decided(self, told: list[Derived]) -> Decision:
        return asked(self._trading, lambda: self._trading.decider.said().decision, told)

    def step(self, taken: Taken, mode: Mode) -> list[Derived]:
        """Take one candle whose series has it already."""
        (closed,) = taken.candles
        if closed is None or self.is_ruined:
            return []
        candle = candle_of(closed, self._trading, self._place)
        self._ended_ms = float(candle.ended_ms)
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
                at_ms=float(taken.at_ms),
                power=self._power,
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
        for leg in LEGS:
            is_entry = leg == "enter"
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

    def command(self, mode: Mode, at_ms: int) -> list[Derived]:  # noqa: ARG002
        """Obey a person between two candles: the next one does."""
        return []

    def cancel_entries(self, at_ms: int, opens_ms: Mapping[str, int]) -> list[Derived]:
        """Cancel the entry that rests. One at market is filled once its candle has opened.

        opens_ms: of each instrument, when its next candle opens
        """
        trading, series = self._trading, self._trading.series
        if float(self._stepper.state["order_side"][0]) == 0.0:
            return []
        order = self.orders.waiting(trading.instrument, "enter")
        last_ms = series.opened_ms(len(series) - 1) if len(series) else 0
        is_of_last = order is None or order.candle_ms == last_ms
        is_at_market = isinstance(self._place.run.entry, MarketEntry)
        if is_at_market and is_of_last and at_ms >= opens_ms[trading.instrument]:
            return []
        self._stepper.cancel_entry()
        return self._teller.end(trading, "enter", at_ms, OrderState.CANCELLED, NEWS)

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
