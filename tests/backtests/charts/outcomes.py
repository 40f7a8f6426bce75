"""Outcomes to be drawn."""

from __future__ import annotations

from dataclasses import replace

from backtests.testing.instrument import execute
from mela.candles import Candles
from mela.interval import Interval
from mela.result import Outcome
from services.strategies.lookahead import random_walk

REASONS = ("signal", "stop_loss", "take_profit", "trailing_stop", "time_stop", "daily_loss")


def walk(count: int) -> Candles:
    """Return days without a pattern."""
    return random_walk(Interval.D1, count, seed=11)


def both_sides(candles: Candles) -> Outcome:
    """Return an outcome with long and short trades and every reason to leave one."""
    bars = range(5, 250, 12), range(11, 250, 12)
    outcome = execute(candles, *bars, fee=0.001, direction="both", costs={"borrow_rate": 0.0})
    trades = [
        trade._replace(exit_reason=REASONS[place % 6])
        for place, trade in enumerate(outcome.curve.trades)
    ]
    return replace(outcome, curve=replace(outcome.curve, trades=tuple(trades)))
