"""A run on candles that it was not chosen on: it starts flat, and is sold at the end.

A window's profit must be in the account when it ends, or the next one could not begin flat. So
a position that is still open is left at the last close, at the costs of any fill: the candles get
one more, which opens and stays there, and the strategy is made to leave on the last real close.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from backtests.context import StrategyContext
from backtests.indicators import Indicators
from backtests.metrics import (
    buy_hold_return,
    ends_of_periods,
    max_drawdown,
    period_returns,
    sharpe,
)
from backtests.run_facts import risk_free_of
from backtests.search.folds import chain, chained_returns
from backtests.signals import Bool, Signals
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import SignalFunction, Strategy
from mela.calendars import ALWAYS
from mela.candles import Candles
from mela.result import Curve, Status, Trade
from mela.run import Run, from_ms, to_ms

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Catalogue = Mapping[str, Strategy]


class Performance(TypedDict):
    """The numbers of `mela.search_report.OutOfSample`; an undefined one is None."""

    total_return: float | None
    sharpe: float | None
    max_drawdown: float | None
    trades: int
    buy_hold_return: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The course of a run on a window, or of several runs on consecutive windows.

    status: `succeeded`, or what it was instead; error: why it failed
    opened_ms, equity: (n,) of each candle, the last one after all was sold
    returns: (m,) of each period
    trades: in order; one that was sold at the end exits when the last candle ends
    buy_hold_return: of the same candles
    calendar: of the market, which says what a period is; 24/7 where markets of several are joined
    """

    status: Status
    cash: float
    periods_per_year: float
    opened_ms: Int
    equity: Float
    returns: Float
    trades: Sequence[Trade]
    buy_hold_return: float
    error: str | None = None
    calendar: str = ALWAYS
    risk_free: float = 0.0

    def numbers(self) -> Performance:
        """Return what it came to; an undefined number is None."""
        final = float(self.equity[-1]) / self.cash - 1.0 if len(self.equity) else math.nan
        drawdown = max_drawdown(self.equity, self.cash) if len(self.equity) else math.nan
        return {
            "total_return": defined(final),
            "sharpe": defined(sharpe(self.returns - self.risk_free, self.periods_per_year)),
            "max_drawdown": defined(drawdown),
            "trades": len(self.trades),
            "buy_hold_return": defined(self.buy_hold_return),
        }


def closed_out(candles: Candles, run: Run, catalogue: Catalogue = CATALOGUE) -> Stretch:
    """Execute a run that is flat at its end: what is still open is sold at the last close.

    candles: what `run_all` takes for it. Never raises for a run.
    """
    part = candles.span(to_ms(run.start), to_ms(run.end), run.warmup)
    if part.start_bar == len(part):
        return _nothing(Status.NO_DATA, run.cash)
    longer = _with_a_candle_to_leave_at(part)
    strategy = catalogue.get(run.strategy)
    if strategy is not None:
        leaving = replace(strategy, signals=_leaving(strategy), takes_context=True)
        catalogue = {**catalogue, run.strategy: leaving}
    longer_run = replace(run, end=from_ms(int(longer.opened_ms[-1]) + 1))
    outcome = next(run_all(longer, [longer_run], with_curve=True, catalogue=catalogue))
    if outcome.curve is None or outcome.periods_per_year is None:
        return _nothing(outcome.status, run.cash, outcome.error)
    equity = _settled(outcome.curve, len(part) - part.start_bar)
    opened_ms = part.opened_ms[part.start_bar :][: len(equity)]
    ends = ends_of_periods(opened_ms, part.calendar, is_intraday=part.interval.is_intraday)
    returns = np.empty(len(ends))
    period_returns(equity[ends], run.cash, returns)
    return Stretch(
        status=outcome.status,
        cash=run.cash,
        periods_per_year=outcome.periods_per_year,
        opened_ms=opened_ms,
        equity=equity,
        returns=returns,
        trades=outcome.curve.trades,
        calendar=part.calendar,
        risk_free=risk_free_of(run, outcome.periods_per_year),
        buy_hold_return=buy_hold_return(
            part.open[part.start_bar], part.close[-1], run.costs.fee, run.costs.slippage
        ),
    )


def chained(stretches: Sequence[Stretch], cash: float) -> Stretch:
    """Return stretches as one: each begins with the equity that the one before left.

    Those without candles add nothing; after one that was ruined, nothing follows.
    """
    parts = list(_up_to_ruin(stretches))
    if not parts:
        return _nothing(Status.NO_DATA, cash)
    held = float(np.prod([1.0 + part.buy_hold_return for part in parts]))
    return Stretch(
        status=parts[-1].status,
        cash=cash,
        periods_per_year=parts[0].periods_per_year,
        opened_ms=np.concatenate([part.opened_ms for part in parts]),
        equity=chain([part.equity for part in parts], cash),
        returns=chained_returns([part.returns for part in parts]),
        trades=[trade for part in parts for trade in part.trades],
        calendar=parts[0].calendar,
        risk_free=parts[0].risk_free,
        buy_hold_return=held - 1.0,
    )


def in_equal_shares(stretches: Sequence[Stretch], *, is_intraday: bool) -> Stretch:
    """Return what instruments made together: an equal share of the cash each, never rebalanced.

    stretches: one of each instrument, over about the same time; those without candles keep cash
    """
    moving = [one for one in stretches if len(one.equity)]
    if len(stretches) == 1 or not moving:
        return stretches[0]
    cash = stretches[0].cash
    opened_ms = np.unique(np.concatenate([one.opened_ms for one in moving]))
    total = np.full(len(opened_ms), (len(stretches) - len(moving)) * cash)
    for one in moving:
        place = np.searchsorted(one.opened_ms, opened_ms, side="right")
        total += np.concatenate(([cash], one.equity))[place]
    equity = total / len(stretches)
    calendars = {one.calendar for one in moving}
    calendar = calendars.pop() if len(calendars) == 1 else ALWAYS
    ends = ends_of_periods(opened_ms, calendar, is_intraday=is_intraday)
    returns = np.empty(len(ends))
    period_returns(equity[ends], cash, returns)
    return Stretch(
        status=Status.SUCCEEDED,
        cash=cash,
        periods_per_year=max(one.periods_per_year for one in moving),
        opened_ms=opened_ms,
        equity=equity,
        returns=returns,
        trades=[trade for one in moving for trade in one.trades],
        calendar=calendar,
        risk_free=moving[0].risk_free,
        # one after the other: from Python 3.12 on, `sum` of floats rounds otherwise
        buy_hold_return=reduce(add, (one.buy_hold_return for one in moving)) / len(stretches),
    )


def defined(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def _with_a_candle_to_leave_at(part: Candles) -> Candles:
    """Return candles with one more, which opens and stays at the last close."""
    traded = part.volume[part.volume > 0.0]
    volume = float(traded[-1]) if len(traded) else 0.0  # without any nothing would fill
    close = float(part.close[-1])
    ended_ms = part.interval.end_ms(int(part.opened_ms[-1]))
    return replace(
        part,
        opened_ms=np.append(part.opened_ms, ended_ms),
        open=np.append(part.open, close),
        high=np.append(part.high, close),
        low=np.append(part.low, close),
        close=np.append(part.close, close),
        volume=np.append(part.volume, volume),
    )


def _leaving(strategy: Strategy) -> SignalFunction:
    """Return a strategy's signals without the last candle, with an exit on the one before it."""

    def left(candles: Candles, params: Any, _: Indicators, context: StrategyContext) -> Signals:
        own = _first(candles, len(candles) - 1 - candles.start_bar)
        indicators = Indicators(own)
        given = strategy.decide(own, params, indicators, lambda: context.on(own)).signals()
        enter, exit_, enter_short, exit_short = given.mirrored()
        return Signals(
            _ending(enter, False),
            _ending(exit_, True),
            _ending(enter_short, False),
            _ending(exit_short, True),
            *(None if one is None else np.append(one, np.nan) for one in given[4:]),
        )

    return left


def _ending(signal: Bool, last: bool) -> Bool:
    """Return a signal with another value on its last candle, and one more candle without it."""
    return np.append(signal[:-1], [last, False])


def _first(candles: Candles, bars: int) -> Candles:
    """Return candles up to the given number of the span, warm-up included."""
    part = slice(0, candles.start_bar + bars)
    names = ("opened_ms", "open", "high", "low", "close", "volume")
    return replace(candles, **{name: getattr(candles, name)[part] for name in names})


def _settled(curve: Curve, bars: int) -> Float:
    """Return the equity of the real candles, the last one after the sale."""
    if len(curve.equity) <= bars:  # ruined before the end
        return curve.equity
    equity = curve.equity[:bars].copy()
    equity[-1] = curve.equity[bars]
    return equity


def _up_to_ruin(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    for one in stretches:
        if len(one.equity):
            yield one
            if one.equity[-1] <= 0.0:
                return


def _nothing(status: Status, cash: float, error: tuple[str, str] | None = None) -> Stretch:
    none, no_time = np.empty(0), np.empty(0, dtype=np.int64)
    reason = ": ".join(error) if error else None
    return Stretch(status, cash, math.nan, no_time, none, none, (), math.nan, reason)
