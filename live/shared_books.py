"""A book of several instruments on one account, with the backtest's own fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from backtests.candles.aligned import periods_of
from backtests.portfolio import portfolio_terms_of
from execution.candle_step import Candle, Decision
from execution.gated import Gate, gated_portfolio_step, gated_portfolio_warm
from execution.stepper import NO_DECISION, PortfolioStepper, Step
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
from live.books import LEGS, candle_of, tell_gate, traded_of
from live.events import Derived, Held, Intended, StateChanged, Valued
from live.orders import Leg, OrderState
from live.sequence import Step as Taken
from live.telling import NEWS, Teller
from live.weights import Weights
from mela.portfolio import OnSchedule, Portfolio


class SharedBook:
    """An account of several instruments whose fills are a backtest's."""

    def __init__(self, place: Place) -> None:
        self._place, self._traded = place, place.traded
        run = place.run
        lots = [(one.lot or 1.0) * one.units for one in self._traded]
        self._stepper = PortfolioStepper(portfolio_terms_of(run), float(run.cash), lots)
        self._weights = Weights(run, self._traded)
        self._seen_ms = np.full(len(self._traded), np.nan)
        self._gate = None if run.risk is None else Gate(run.risk, float(run.cash))
        self._look = (
            None
            if self._gate is None
            else looking(place, self._gate, lambda at: float(self._seen_ms[at]))
        )
        self._teller = Teller(place)
        self._opened_ms: list[int] = []  # of the steps, the one before the first included
        self._last_ms = 0
        self._is_bounded = False
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
        return bool(self._stepper.units.any())

    @property
    def is_waiting(self) -> bool:
        """Tell whether a broker has open orders of it: there is none."""
        return False

    def begin(self) -> list[Derived]:
        """Take the decisions on the last warm-up candle of each instrument."""
        told: list[Derived] = []
        candles: list[Candle | None] = []
        decisions: list[Decision] = []
        self._opened_ms = [0]
        for at, one in enumerate(self._traded):
            series = one.series
            if not len(series):
                candles.append(None)
                decisions.append(NO_DECISION)
                continue
            opened, close = series.opened_ms(len(series) - 1), float(series.column("close", 1)[0])
            ended = opened + self._place.lasting_ms
            candles.append(Candle(opened, ended, close, close, close, close, 0.0, False))
            self._seen_ms[at] = ended
            decisions.append(self._decided(at, told))
        if self._gate is None or self._look is None:
            self._stepper.warm(candles, decisions, self._weights.now())
            return told
        judged = gated_portfolio_warm(
            *(self._gate, self._stepper, [one.instrument for one in self._traded], candles),
            *(decisions, self._weights.now(), self._look, self._seen_ms),
            float(self._place.start_ms),
        )
        return [*told, *judged_of(judged, self._place.start_ms)]

    def step(self, taken: Taken, mode: Mode) -> list[Derived]:
        """Take the candles of one step, which their series have already."""
        if self.is_ruined:
            return []
        lasting = self._place.lasting_ms
        ended = taken.opened_ms + lasting
        candles = [
            None if one is None else candle_of(one, trading, self._place)
            for one, trading in zip(taken.candles, self._traded, strict=True)
        ]
        told: list[Derived] = []
        decisions = [
            NO_DECISION if one is None else in_mode(self._decided(at, told), mode)
            for at, one in enumerate(candles)
        ]
        before, due = self._stepper.positions, self._is_due(taken) and mode == "active"
        self._bound_purchases(mode)
        self._opened_ms.append(taken.opened_ms)
        shares = self._weights.now()
        if self._gate is None or self._look is None or mode == "leaving":
            step, places = self._stepper.step(
                taken.opened_ms, ended, candles, decisions, shares, due=due
            )
            names = [self._traded[at].instrument for at in places.tolist()]
            some = next(one for one in candles if one is not None)
            tell_gate(self._gate, names, step, some)
        else:
            step, places, judged = gated_portfolio_step(
                *(self._gate, self._stepper, [one.instrument for one in self._traded]),
                *(taken.opened_ms, ended, candles, decisions, shares, self._look, self._seen_ms),
                due=due,
            )
            told += judged_of(judged, taken.opened_ms)
        self._last_ms = taken.opened_ms
        after = self._stepper.positions
        fills = self._fills(step, places, before, after, taken)
        told = [*fills, *told, *self._waiting(after, taken)]
        told.append(self._valued(step, after, taken))
        if step.ruined:
            self.is_ruined = True
            why = "the equity is gone: the account is ruined, and takes no further step"
            told.append(StateChanged("session", self._place.number, "stopped", why))
        self.orders.forget(taken.at_ms, 0)
        return told

    def _decided(self, at: int, told: list[Derived]) -> Decision:
        """Return what the strategy decides on an instrument, nothing where it fails."""
        one = self._traded[at]
        return asked(one, lambda: self._said(at), told)

    def _said(self, at: int) -> Decision:
        said = self._traded[at].decider.said()
        if said.has_exit_price:
            raise ValueError(
                f"{self._place.run.strategy} gives exit_price, but exits of a portfolio are market "
                "orders: leave it out, or take mode each"
            )
        self._weights.see(at, said)
        if self._weights.are_the_strategys:
            return said.decision._replace(strength=1.0)
        return said.decision

    def _is_due(self, taken: Taken) -> bool:
        portfolio = self._place.run.portfolio or Portfolio()
        rebalance = portfolio.rebalance
        if not isinstance(rebalance, OnSchedule) or self._last_ms == 0:
            return False
        both = np.array([self._last_ms, taken.opened_ms], np.int64)
        before, now = periods_of(both, rebalance.every).tolist()
        return before != now

    def _bound_purchases(self, mode: Mode) -> None:
        """Let nothing be bought that was ordered before entries were stopped."""
        if self._is_bounded or mode != "active":
            self._is_bounded = mode != "active"
            for at in range(len(self._traded)):
                self._stepper.buy_at_most(at, 0.0 if self._is_bounded else math.inf)

    def _fills(
        self,
        step: Step,
        places: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        taken: Taken,
    ) -> list[Derived]:
        told: list[Derived] = []
        known: list[np.void | None] = list(before)
        for row, at in zip(step.trades, places.tolist(), strict=True):
            told += self._closed(self._traded[at], known[at], row, taken)
            told.append(traded_of(row, self._traded[at], self._opened_ms))
            self._teller.paid += float(row["borrow"])
            known[at] = None
        number = len(self._opened_ms) - 1
        for at, trading in enumerate(self._traded):
            told += self._changed(trading, known[at], after[at], number, taken)
        return told

    def _closed(
        self, trading: Trading, before: np.void | None, row: np.void, taken: Taken
    ) -> list[Derived]:
        """Tell the fills that ended a position: what was added in this step, and its exit."""
        told: list[Derived] = []
        side, size = math.copysign(1.0, float(row["size"])), abs(float(row["size"]))
        bought, paid, sold, received, fees = _sums(before)
        added, spent = size - bought, float(row["entry_price"]) * size - paid
        left = float(row["fees"]) - fees
        if added > 1e-9 * size:
            fee = self._teller.fee(added, spent / added)
            told += self._teller.fill(trading, "enter", side, added, spent / added, fee, taken)
            left -= fee
        units = size - sold
        price = (float(row["exit_price"]) * size - received) / units
        reason = reason_of(int(row["reason"]))
        told += self._teller.fill(trading, "exit", -side, units, price, left, taken, reason)
        return told

    def _changed(
        self, trading: Trading, before: np.void | None, after: np.void, number: int, taken: Taken
    ) -> list[Derived]:
        """Tell the fills of a position that is still open."""
        units = float(after["units"])
        if units == 0.0:
            return []
        is_new = int(after["opened_step"]) == number
        bought, paid, sold, received, fees = _sums(None if is_new else before)
        now = _sums(after)
        side = math.copysign(1.0, units)
        told: list[Derived] = []
        done, fee = now[2] - sold, now[4] - fees
        if done > 0.0:
            price = (now[3] - received) / done
            told += self._teller.fill(trading, "exit", -side, done, price, fee, taken, "rebalance")
            fee = 0.0
        done = now[0] - bought
        if done > 0.0:
            price = (now[1] - paid) / done
            told += self._teller.fill(trading, "enter", side, done, price, fee, taken)
        return told

    def _waiting(self, after: np.ndarray, taken: Taken) -> list[Derived]:
        """Tell which orders wait for the next opens, and which no longer do."""
        told: list[Derived] = []
        for at, trading in enumerate(self._traded):
            one = after[at]
            side, units, pending = int(one["side"]), float(one["units"]), bool(one["pending"])
            held = 0 if units == 0.0 else int(math.copysign(1, units))
            wants: dict[Leg, bool] = {
                "exit": pending and held != 0 and side != held,
                "enter": pending and side not in (0, held),
            }
            for leg in LEGS:
                known = self.orders.waiting(trading.instrument, leg)
                wanted = side if leg == "enter" else -held
                is_other = known is not None and wanted != (1 if known.side == "buy" else -1)
                if known is not None and (is_other or not wants[leg]):
                    refused = leg == "enter" and not is_other
                    state = OrderState.REJECTED if refused else OrderState.CANCELLED
                    why = "the account could not pay for it" if refused else "no longer wanted"
                    told += self._teller.end(trading, leg, taken.at_ms, state, why)
                if wants[leg] and (known is None or is_other):
                    order = self.orders.intend(
                        *(trading.instrument, leg, float(wanted)),
                        *(taken.opened_ms, taken.at_ms),
                        units=abs(units) / trading.units if leg == "exit" else math.nan,
                        reason="signal" if leg == "exit" else "entry",
                    )
                    told.append(Intended(order, for_broker=False))
        return told

    def _valued(self, step: Step, after: np.ndarray, taken: Taken) -> Valued:
        held: list[Held] = []
        for at, trading in enumerate(self._traded):
            units, price = float(after[at]["units"]), float(after[at]["price"])
            if units != 0.0:
                average = float(after[at]["paid"]) / float(after[at]["bought"])
                contracts = units / trading.units
                held.append(Held(trading.instrument, contracts, average, price, units * price))
        ended = taken.opened_ms + self._place.lasting_ms
        number = self._place.number
        return Valued(number, taken.opened_ms, ended, step.equity, step.cash, tuple(held))

    def command(self, mode: Mode, at_ms: int) -> list[Derived]:  # noqa: ARG002
        """Obey a person between two candles: the next one does."""
        return []

    def cancel_entries(self, at_ms: int, opens_ms: Mapping[str, int]) -> list[Derived]:
        """Cancel what is to be entered at an open that is still to come.

        opens_ms: of each instrument, when its next candle opens
        """
        told: list[Derived] = []
        for at, trading in enumerate(self._traded):
            if at_ms < opens_ms[trading.instrument] and self._stepper.cancel_entry(at):
                told += self._teller.end(trading, "enter", at_ms, OrderState.CANCELLED, NEWS)
        return told

    def faults(self) -> list[str]:
        """Return what does not add up: positions, or the cash, against all fills."""
        faults: list[str] = []
        positions, teller = self._stepper.positions, self._teller
        borrow, worth = 0.0, float(self._place.run.cash)
        for at, trading in enumerate(self._traded):
            units, told = float(positions[at]["units"]), teller.units[trading.instrument]
            borrow += float(positions[at]["borrow"]) if units else 0.0
            worth += float(positions[at]["paid"]) + float(positions[at]["received"])
            if not is_near(units, told, float(positions[at]["bought"])):
                faults.append(
                    f"{trading.instrument}: position {units!r} is not the sum of fills {told!r}"
                )
        sum_ = float(self._place.run.cash) - teller.paid - borrow
        if not is_near(self._stepper.cash, sum_, worth + abs(teller.paid)):
            faults.append(f"cash {self._stepper.cash!r} is not what fills leave of it {sum_!r}")
        return faults

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "stepper": self._stepper.save().hex(),
            "weights": list(self._weights.known),
            "teller": self._teller.save(),
            "gate": gate_saved(self._gate),
            "seen_ms": self._seen_ms.tolist(),
            "opened_ms": self._opened_ms,
            "last_ms": self._last_ms,
            "is_bounded": self._is_bounded,
            "is_ruined": self.is_ruined,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._stepper.restore(bytes.fromhex(saved["stepper"]))
        self._weights.known = list(saved["weights"])
        self._teller.restore(saved["teller"])
        gate_restored(self._gate, saved["gate"])
        self._seen_ms = np.array(saved["seen_ms"], np.float64)
        self._opened_ms, self._last_ms = list(saved["opened_ms"]), saved["last_ms"]
        self._is_bounded, self.is_ruined = saved["is_bounded"], saved["is_ruined"]


def _sums(position: np.void | None) -> tuple[float, float, float, float, float]:
    """Return what was bought, paid, sold, received and charged; nothing while nothing is held."""
    if position is None or float(position["units"]) == 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    bought, paid, sold, received, fees = (
        float(position[name]) for name in ("bought", "paid", "sold", "received", "fees")
    )
    return bought, paid, sold, received, fees
