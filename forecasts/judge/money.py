"""Forecasts as money: the engine trades what was forecast out of fold, costs included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCache
from backtests.indicators import Indicators
from backtests.search.period_returns import period_ends_of, returns_of
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.statistics.sharpe import moments
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from forecasts.dataset import Dataset
from forecasts.labels import is_class
from forecasts.signals import signals_of
from mela.candles import Candles
from mela.errors import StrategyBroken
from mela.fields import Part
from mela.instants import from_ms
from mela.run import Run
from mela.training import Training

Float = NDArray[np.float64]
Int = NDArray[np.int64]
DAY_MS = 86_400_000
HOLD = "buy_and_hold"
TRADED = "forecast"


@dataclass(frozen=True, eq=False)
class Money:
    """The joint result of accounts of equal size, one for each instrument.

    returns: (days,) float64, one for each day; the mean of the instruments'
    sharpe: of a year; NaN where nothing moved
    """

    returns: Float
    total_return: float
    sharpe: float
    max_drawdown: float
    trades: int


def threshold_of(training: Training) -> float:
    """Return the forecast above which the judge enters and below which it leaves.

    A number is a return net of costs, or of its sign: 0. A class is a probability: one half.
    """
    return 0.5 if is_class(training.label) else 0.0


def money_of(
    training: Training, candles: Mapping[str, Candles], dataset: Dataset, forecast: Float
) -> Money:
    """Return what trading out-of-fold forecasts earned, from the first of them to the end.

    candles: those of the dataset; forecast: (m,) float64, NaN for samples that no fold tests
    """
    threshold = threshold_of(training)
    lines = {
        name: _line(dataset, forecast, place, candles[name])
        for place, name in enumerate(dataset.instruments)
    }

    def decide(series: Candles, line: Float, opened: Int) -> Signals:
        bars = np.searchsorted(opened, series.opened_ms)
        return signals_of(line[bars], threshold, threshold)

    def strategy_of(name: str) -> Strategy:
        line, opened = lines[name], candles[name].opened_ms

        def signals(series: Candles, _params: Part, _indicators: Indicators) -> Signals:
            return decide(series, line, opened)

        return Strategy(TRADED, "", Part, "", signals, lambda _: 0)

    tested = ~np.isnan(forecast)
    start = from_ms(int(dataset.closed_ms[tested].min()))
    runs = {name: (strategy_of(name), candles[name]) for name in dataset.instruments}
    return _together(training, start, runs, {})


def hold(
    training: Training, candles: Mapping[str, Candles], dataset: Dataset, forecast: Float
) -> Money:
    """Return what holding the same instruments over the same days earned."""
    tested = ~np.isnan(forecast)
    start = from_ms(int(dataset.closed_ms[tested].min()))
    runs = {name: (CATALOGUE[HOLD], candles[name]) for name in dataset.instruments}
    return _together(training, start, runs, {})


def _line(dataset: Dataset, forecast: Float, place: int, candles: Candles) -> Float:
    line = np.full(len(candles), np.nan)
    own = dataset.instrument == place
    line[dataset.bar[own]] = forecast[own]
    return line


def _together(
    training: Training,
    start: datetime,
    runs: Mapping[str, tuple[Strategy, Candles]],
    params: Mapping[str, Any],
) -> Money:
    days: dict[int, float] = {}
    trades, per_year = 0, 365.0
    for name, (strategy, candles) in runs.items():
        run = Run(
            "",
            name,
            training.interval,
            start,
            training.end,
            strategy.name,
            params,
            0,
            costs=training.costs,
            prices=training.prices,
        )
        spans = PreparedCache(candles)
        catalogue = {strategy.name: strategy}
        outcome = next(run_all(candles, [run], with_curve=True, catalogue=catalogue, spans=spans))
        span, curve = spans.of(run), outcome.curve
        if isinstance(span, Exception) or curve is None:
            raise StrategyBroken(f"the forecasts of {name} cannot be traded: {outcome.error}")
        per_year = span.periods_per_year
        trades += len(curve.trades)
        ends = curve.opened_ms[period_ends_of(curve, span)]
        for day, earned in zip(
            (ends // DAY_MS).tolist(), returns_of(curve, span, run.cash).tolist(), strict=True
        ):
            days[day] = days.get(day, 0.0) + earned / len(runs)
    returns = np.array([days[day] for day in sorted(days)])
    equity = np.cumprod(1.0 + returns)
    peak = np.maximum.accumulate(np.concatenate([[1.0], equity]))[1:]
    return Money(
        returns,
        float(equity[-1]) - 1.0,
        moments(returns).sharpe * math.sqrt(per_year),
        float(np.min(equity / peak - 1.0, initial=0.0)),
        trades,
    )
