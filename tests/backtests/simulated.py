"""Runs, candles and strategies to simulate, without any random number."""

from __future__ import annotations

import numpy as np

from backtests.signals import Signals
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from backtests.testing.instrument import MONDAY_MS, candles_of
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval
from mela.run import Part, Run, from_ms

KEY = "0" * 64


def market(count: int, first_hour: int = 0) -> Candles:
    """Return hourly candles of a price that swings, without any random number."""
    hours = np.arange(first_hour, first_hour + count)
    close = 100.0 + hours * 7 % 13 + hours * 5 % 29
    opened = 100.0 + (hours - 1) * 7 % 13 + (hours - 1) * 5 % 29
    rows = [(o, max(o, c) + 1, min(o, c) - 1, c) for o, c in zip(opened, close, strict=True)]
    return candles_of(rows, Interval.H1, MONDAY_MS + first_hour * HOUR_MS)


def asked(strategy: str = "sma_cross", hours: tuple[int, int] = (0, 100), **fields) -> Run:
    params = {"sma_cross": {"fast": 2, "slow": 5}}.get(strategy, {})
    start, end = (from_ms(MONDAY_MS + hour * HOUR_MS) for hour in hours)
    known = {"params": params, "warmup": 0} | fields
    return Run(KEY, "binance:BTCUSDT", Interval.H1, start, end, strategy, **known)


def strategy_of(function) -> dict[str, Strategy]:
    made = Strategy("made", "A strategy of this test.", Part, "", function, lambda _params: 0)
    return {**CATALOGUE, "made": made}


def failing(error: BaseException) -> dict[str, Strategy]:
    def fail(candles, params, indicators) -> Signals:
        raise error

    return strategy_of(fail)


def giving(enter, exit) -> dict[str, Strategy]:
    return strategy_of(lambda candles, params, indicators: Signals(enter, exit))
