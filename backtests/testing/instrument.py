"""A handful of candles with given signals: what the docs show and the tests check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.result import Outcome
from mela.risk_limits import RiskLimits, SessionHours
from mela.run import (
    Costs,
    Direction,
    Entry,
    Exits,
    FractionSizing,
    MarketEntry,
    Part,
    Run,
    Sizing,
    from_ms,
)

Row = tuple[float, float, float, float]
MONDAY_MS = 19_723 * DAY_MS  # 2024-01-01


def candles_of(
    rows: Sequence[Row], interval: Interval = Interval.D1, first_ms: int = MONDAY_MS
) -> Candles:
    """Return candles without gaps from rows of (open, high, low, close).

    first_ms: when the first one opens, UTC milliseconds

    >>> len(candles_of([(10, 12, 9, 11), (11, 11, 11, 11)]))
    2
    """
    opened = [first_ms]
    for _ in rows:
        opened.append(interval.end_ms(opened[-1]))
    open_, high, low, close = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    opened_ms = np.array(opened[:-1], dtype=np.int64)
    return Candles(interval, opened_ms, open_, high, low, close, np.ones(len(rows)))


def execute(
    rows: Sequence[Row] | Candles,
    enter: Sequence[int] = (),
    exit: Sequence[int] = (),
    *,
    enter_short: Sequence[int] | None = None,
    exit_short: Sequence[int] | None = None,
    warmup: int = 0,
    cash: float = 1_000.0,
    fee: float = 0.0,
    slippage: float = 0.0,
    fraction: float = 1.0,
    costs: Mapping[str, Any] | None = None,
    sizing: Sizing | None = None,
    entry: Entry | None = None,
    direction: Direction = "long",
    strength: Sequence[float] | None = None,
    stop: Sequence[float] | None = None,
    target: Sequence[float] | None = None,
    exit_price: Sequence[float] | None = None,
    risk: Mapping[str, Any] | None = None,
    sessions: SessionHours | None = None,
    **exits: Any,
) -> Outcome:
    """Execute signals on candles, with trades and equity: free of costs and all in unless told.

    rows: (open, high, low, close) of days from Monday, 2024-01-01 on; or candles
    enter, exit: the bars on whose close a signal stands, counted from the first row
    enter_short, exit_short: likewise; without them the long ones are mirrored
    warmup: how many of the first rows are warm-up
    strength, stop, target, exit_price: one value for each row, as `Signals` takes them
    costs: those besides fee and slippage; sizing, entry, risk, sessions: as in a scene
    exits: stop_loss, take_profit, cooldown_bars, protect_from, …, as in a scene

    >>> outcome = execute([(100, 100, 100, 100), (110, 120, 110, 120)], enter=[0])
    >>> outcome.curve.equity.tolist()
    [1000.0, 1090.909090909091]
    """
    candles = rows if isinstance(rows, Candles) else candles_of(rows)
    bars, inputs = np.arange(len(candles)), (strength, stop, target, exit_price)
    signals = Signals(
        np.isin(bars, enter),
        np.isin(bars, exit),
        None if enter_short is None else np.isin(bars, enter_short),
        None if exit_short is None else np.isin(bars, exit_short),
        *(None if given is None else np.array(given, np.float64) for given in inputs),
    )

    def given(_candles: Candles, _params: Part, _indicators: Indicators) -> Signals:
        return signals

    opened_ms = candles.opened_ms
    run = Run(
        run_key="0" * 64,
        instrument="binance:BTCUSDT",
        interval=candles.interval,
        start=from_ms(int(opened_ms[warmup])),
        end=from_ms(candles.interval.end_ms(int(opened_ms[-1]))),
        strategy="given",
        params={},
        warmup=warmup,
        cash=cash,
        costs=Costs(fee=fee, slippage=slippage, **(costs or {})),
        sizing=sizing or FractionSizing(fraction=fraction),
        entry=entry or MarketEntry(),
        exits=Exits(**exits),
        direction=direction,
        risk=None if risk is None else RiskLimits(**risk),
        sessions=sessions,
    )
    strategy = Strategy("given", "Give the signals.", Part, "", given, lambda _params: warmup)
    return next(run_all(candles, [run], with_curve=True, catalogue={"given": strategy}))
