"""Step an account whose entries pass a gate: the same way in a backtest and in a live session."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from execution.candle_step import Candle, Decision
from execution.gate import Ask, Ruling, View, judge
from execution.gate_state import GateState, Mode
from execution.room import most_units
from execution.stepper import CandleStepper, PortfolioStepper, RequestedEntry, Step
from execution.terms import Int
from mela.risk_limits import RiskLimits


class Market(NamedTuple):
    """The market data of an instrument on a close, besides its price; NaN if unknown.

    As in `View`; is_open: whether the market trades at this close
    """

    volume: float = math.nan
    volatility: float = math.nan
    is_open: float = math.nan
    lot: float = math.nan
    tick: float = math.nan
    shortable: float = math.inf


class Judged(NamedTuple):
    """An order of an entry and what the gate said of it."""

    at_ms: float
    ask: Ask
    verdict: Ruling


# of an instrument (its place in the account); asked only where an entry is ordered
Look = Callable[[int], Market]


class Gate:
    """The gate of one account: its limits, and what it remembers.

    state: changes with each event; set it to take what a person commanded
    """

    def __init__(self, limits: RiskLimits, cash: float) -> None:
        self.limits = limits
        self.state = GateState.begin(cash)

    def review(self, view: View, ask: Ask) -> Ruling:
        """Judge an order, and remember it where it passed."""
        verdict = judge(self.limits, view, ask)
        if verdict.allowed:
            self.state = self.state.ordered(view.at_ms)
        return verdict

    def after(self, equity: float, trades: Iterable[tuple[str, float]], at_ms: float) -> None:
        """Take what a candle did: the trades that it closed, then the equity on its close.

        trades: the instrument and the profit of each
        """
        for instrument, profit in trades:
            self.state = self.state.traded(self.limits, instrument, profit, at_ms)
        self.state = self.state.valued(self.limits, equity, at_ms)


def gated_step(
    gate: Gate,
    stepper: CandleStepper,
    instrument: str,
    candle: Candle,
    decision: Decision,
    look: Look,
    *,
    at_ms: float = math.nan,
    power: float = 1.0,
) -> tuple[Step, list[Judged]]:
    """Take a candle and the decision on its close, whose entry the gate judges.

    at_ms: when the candle came, NaN for its end. It says how old the data are; all else is
        judged as at the candle's end, so that a session and a backtest agree
    power: equity × power is free for an entry
    A refused entry is the decision without it. While the gate only reduces, no entry rests; while
    it is halted, no decision is taken.
    """
    now = float(candle.ended_ms)
    late_ms = max(at_ms - now, 0.0) if not math.isnan(at_ms) else 0.0
    traded = stepper.trade(candle)
    gate.after(traded.equity, ((instrument, p) for p in traded.trades["profit"].tolist()), now)
    if traded.ruined:
        return traded, []
    judged, decided = _decide(
        gate, stepper, instrument, candle, decision, look, late_ms, traded.equity * power
    )
    return decided._replace(trades=traded.trades), judged


def gated_warm(
    gate: Gate,
    stepper: CandleStepper,
    instrument: str,
    candle: Candle,
    decision: Decision,
    look: Look,
    *,
    power: float = 1.0,
) -> list[Judged]:
    """Take the decision of the last candle before the start, where nothing fills, through a gate.

    Otherwise as `gated_step`.
    """
    cash = gate.state.equity
    return _decide(gate, stepper, instrument, candle, decision, look, 0.0, cash * power)[0]


def _decide(
    gate: Gate,
    stepper: CandleStepper,
    instrument: str,
    candle: Candle,
    decision: Decision,
    look: Look,
    late_ms: float,
    buying_power: float,
) -> tuple[list[Judged], Step]:
    now = float(candle.ended_ms)
    if gate.state.mode is not Mode.ACTIVE:
        stepper.cancel_entry()
    if gate.state.mode is Mode.HALTED:
        decision = _quiet(decision)
    entry = stepper.requested_entry(candle.close, decision)
    judged: list[Judged] = []
    if entry is not None and entry.units > 0.0:
        ask = Ask(instrument, entry.side, entry.units, entry.level)
        view = _view(gate.state, candle, entry, look(0), late_ms, buying_power)
        verdict = gate.review(view, ask)
        judged.append(Judged(now, ask, verdict))
        if verdict.allowed:
            stepper.order_at_most(_bound(gate.limits, view, ask, verdict))
        else:
            decision = _without_entry(decision)
    return judged, stepper.decide(candle.close, decision)


def _view(
    state: GateState,
    candle: Candle,
    entry: RequestedEntry,
    market: Market,
    late_ms: float,
    buying_power: float,
) -> View:
    """Return what is seen of an account that an entry finds flat: an exit comes before it."""
    return View(
        state=state,
        at_ms=float(candle.ended_ms),
        price_ms=candle.ended_ms - late_ms,
        price=candle.close,
        position=0.0,
        gross=0.0,
        net=0.0,
        open_orders=float(entry.exits),
        buying_power=buying_power,
        **market._asdict(),
    )


def _bound(limits: RiskLimits, view: View, ask: Ask, verdict: Ruling) -> float:
    """Return the most units with which an entry that passed may fill."""
    most = most_units(limits, view, ask)
    return min(most, verdict.units) if verdict.units < ask.units else most


def _without_entry(decision: Decision) -> Decision:
    return decision._replace(enter=False, enter_short=False)


def _quiet(decision: Decision) -> Decision:
    """Return a decision that orders nothing; its levels still protect what is held."""
    return decision._replace(enter=False, enter_short=False, exit=False, exit_short=False)


def gated_portfolio_step(
    gate: Gate,
    stepper: PortfolioStepper,
    instruments: Sequence[str],
    opened_ms: int,
    ended_ms: int,
    candles: Sequence[Candle | None],
    decisions: Sequence[Decision],
    weights: Sequence[float],
    look: Look,
    seen_ms: np.ndarray,
    *,
    due: bool = False,
) -> tuple[Step, Int, list[Judged]]:
    """Take the candles that opened at one time and the decisions on their closes.

    seen_ms: (k,) float64, when the last candle of each instrument ended, NaN before its first;
        it is written. Otherwise as `PortfolioStepper.step` and `gated_step`
    A refused entry is the decision without it; of a refused purchase, which is to restore a share,
    nothing is bought.
    """
    judged: list[Judged] = []
    if due:
        waited = stepper.pending
        judged += _judge_purchases(
            gate, stepper, instruments, float(opened_ms), look, seen_ms, waited, due=True
        )
    traded, places = stepper.trade(opened_ms, ended_ms, candles, weights, due=due)
    now = float(ended_ms)
    seen_ms[[candle is not None for candle in candles]] = now
    profits: list[float] = traded.trades["profit"].tolist()
    names = [instruments[int(at)] for at in places]
    closed = list(zip(names, profits, strict=True))
    gate.after(traded.equity, closed, now)
    if traded.ruined:
        return traded, places, judged
    if gate.state.mode is Mode.HALTED:
        decisions = [_quiet(decision) for decision in decisions]

    def decide(taken: Sequence[Decision]) -> None:
        stepper.decide(candles, taken, weights)

    judged += _decide_all(gate, stepper, instruments, decisions, decide, look, seen_ms, now)
    return traded, places, judged


def gated_portfolio_warm(
    gate: Gate,
    stepper: PortfolioStepper,
    instruments: Sequence[str],
    candles: Sequence[Candle | None],
    decisions: Sequence[Decision],
    weights: Sequence[float],
    look: Look,
    seen_ms: np.ndarray,
    now: float,
) -> list[Judged]:
    """Take the decisions of the last candles before the start, where nothing fills.

    now: when the account starts, UTC milliseconds. Otherwise as `gated_portfolio_step`.
    """

    def decide(taken: Sequence[Decision]) -> None:
        stepper.warm(candles, taken, weights)

    return _decide_all(gate, stepper, instruments, decisions, decide, look, seen_ms, now)


def _decide_all(
    gate: Gate,
    stepper: PortfolioStepper,
    instruments: Sequence[str],
    decisions: Sequence[Decision],
    decide: Callable[[Sequence[Decision]], None],
    look: Look,
    seen_ms: np.ndarray,
    now: float,
) -> list[Judged]:
    before, waited = stepper.save(), stepper.pending
    decide(decisions)
    found = _judge_purchases(gate, stepper, instruments, now, look, seen_ms, waited)
    refused = {one.ask.instrument for one in found if not one.verdict.allowed}
    if refused:
        bounds = stepper.positions["most"]
        stepper.restore(before)
        decide(
            [
                _without_entry(decision) if name in refused else decision
                for name, decision in zip(instruments, decisions, strict=True)
            ]
        )
        for at, most in enumerate(bounds.tolist()):
            stepper.buy_at_most(at, most)
    return found


def _judge_purchases(
    gate: Gate,
    stepper: PortfolioStepper,
    instruments: Sequence[str],
    now: float,
    look: Look,
    seen_ms: np.ndarray,
    waited: np.ndarray,
    *,
    due: bool = False,
) -> list[Judged]:
    """Judge what is to be bought at the next open, one after the other, and bound it.

    waited: (k,) bool, whose shares waited before and have passed once: they are told only where
        they are refused now
    """
    positions, purchases = stepper.positions, stepper.pending_purchases(due=due)
    held = np.where(_is_left(positions), 0.0, positions["units"])  # that is sold before
    worth = held * positions["price"]
    gross, net = float(np.abs(worth).sum()), float(worth.sum())
    power = stepper.cash + float((positions["units"] * positions["price"] - worth).sum())
    power += 2.0 * float(np.minimum(worth, 0.0).sum())  # what shorts brought in stays bound
    waiting, judged = 0, list[Judged]()
    for at in np.flatnonzero(purchases[:, 0]).tolist():
        side, units, price = purchases[at].tolist()
        ask = Ask(instruments[at], side, units)
        view = View(
            state=gate.state,
            at_ms=now,
            price_ms=float(seen_ms[at]),
            price=float(positions["price"][at]),
            position=float(held[at]),
            gross=gross,
            net=net,
            open_orders=float(waiting),
            buying_power=power,
            **look(at)._asdict(),
        )
        verdict = judge(gate.limits, view, ask) if waited[at] else gate.review(view, ask)
        if not (waited[at] and verdict.allowed):
            judged.append(Judged(now, ask, verdict))
        stepper.buy_at_most(at, _bound(gate.limits, view, ask, verdict) if verdict.allowed else 0.0)
        if verdict.allowed:
            added = verdict.units * price
            gross, net, power = gross + added, net + side * added, power - added
            waiting += 1
    return judged


def _is_left(positions: np.ndarray) -> np.ndarray:
    """Tell which positions the next open closes: those that their signals no longer want."""
    return (positions["pending"] != 0) & (positions["side"] * positions["units"] <= 0.0)
