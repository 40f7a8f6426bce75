"""A handful of candles of several instruments on one account, with given signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backtests.indicators import Indicators
from backtests.portfolio import run_together
from backtests.signals import Float, Signals
from backtests.strategy import Strategy
from backtests.testing.instrument import Row, candles_of
from mela.candles import Candles
from mela.portfolio import EqualWeights, OnSignals, Portfolio, Rebalance, Weights
from mela.result import Outcome
from mela.risk_limits import RiskLimits
from mela.run import Costs, Direction, Exits, FractionSizing, Part, Run, from_ms

Bars = Mapping[str, Sequence[int]]
Values = Mapping[str, Sequence[float]]


def execute_together(
    series: Mapping[str, Sequence[Row] | Candles],
    enter: Bars,
    exit: Bars | None = None,
    *,
    weights: Weights | None = None,
    rebalance: Rebalance | None = None,
    warmup: int = 0,
    cash: float = 1_000.0,
    fee: float = 0.0,
    slippage: float = 0.0,
    costs: Mapping[str, Any] | None = None,
    whole_units: bool = False,
    delisted: Literal["close", "hold"] = "close",
    direction: Direction = "long",
    strength: Values | None = None,
    stop: Values | None = None,
    target: Values | None = None,
    risk: Mapping[str, Any] | None = None,
    **exits: Any,
) -> Outcome:
    """Execute signals on one account, with trades and equity: free of costs unless told.

    series: of each instrument (open, high, low, close) of days from Monday, 2024-01-01 on; or
        candles
    enter, exit: of each instrument the bars on whose close a signal stands, counted from its first
        candle
    strength, stop, target: of each instrument one value for each of its candles; of one that is
        left out none
    warmup: how many steps before the start are warm-up; others as in a scene

    >>> one = [(100, 100, 100, 100), (100, 100, 100, 100), (100, 150, 100, 150)]
    >>> execute_together({"a:X": one, "a:Y": one}, {"a:X": [0]}).curve.equity.tolist()
    [1000.0, 1000.0, 1250.0]
    """
    given = {name: c if isinstance(c, Candles) else candles_of(c) for name, c in series.items()}
    names = tuple(given)
    # a strategy does not learn its instrument's name, so that the tick tells them apart here
    ticked = {name: replace(given[name], tick=float(at)) for at, name in enumerate(names)}

    def signals(candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
        name = names[int(candles.tick or 0)]
        bars = np.searchsorted(given[name].opened_ms, candles.opened_ms)
        return Signals(
            np.isin(bars, enter.get(name, ())),
            np.isin(bars, (exit or {}).get(name, ())),
            strength=_values(strength, name, bars),
            stop=_values(stop, name, bars),
            target=_values(target, name, bars),
        )

    steps = np.unique(np.concatenate([candles.opened_ms for candles in given.values()]))
    interval = given[names[0]].interval
    run = Run(
        run_key="0" * 64,
        instrument=names[0],
        others=names[1:],
        interval=interval,
        start=from_ms(int(steps[warmup])),
        end=from_ms(interval.end_ms(int(steps[-1]))),
        strategy="given",
        params={},
        warmup=warmup,
        cash=cash,
        costs=Costs(fee=fee, slippage=slippage, **(costs or {})),
        sizing=FractionSizing(whole_units=whole_units),
        exits=Exits(**exits),
        direction=direction,
        portfolio=Portfolio(
            weights=weights or EqualWeights(),
            rebalance=rebalance or OnSignals(),
            delisted=delisted,
        ),
        risk=None if risk is None else RiskLimits(**risk),
    )
    strategy = Strategy("given", "Give the signals.", Part, "", signals, lambda _params: warmup)
    return next(run_together(ticked, [run], with_curve=True, catalogue={"given": strategy}))


def _values(given: Values | None, name: str, bars: NDArray[np.int64]) -> Float | None:
    if given is None or name not in given:
        return None
    return np.array(given[name], np.float64)[bars]
