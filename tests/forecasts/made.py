"""Candles made for tests: random walks, with gaps, of several instruments and intervals."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mela.candles import Candles
from mela.interval import Interval

BEGIN_MS = 1_672_531_200_000  # 2023-01-01


def walk(
    count: int,
    seed: int = 1,
    *,
    interval: Interval = Interval.H1,
    begin_ms: int = BEGIN_MS,
    gaps: bool = False,
    drift: float = 0.0,
) -> Candles:
    """Return candles of a random walk. gaps: whether one candle in twenty is missing."""
    rng = np.random.default_rng(seed)
    opened = begin_ms + np.arange(count, dtype=np.int64) * int(interval.fixed_ms or 0)
    if gaps:
        kept = rng.random(count) > 0.05
        kept[0] = True
        opened = opened[kept]
    n = len(opened)
    close = 100 * np.exp(np.cumsum(drift + 0.01 * rng.standard_normal(n)))
    opens = np.concatenate([[100.0], close[:-1]]) * np.exp(0.002 * rng.standard_normal(n))
    high = np.maximum(opens, close) * np.exp(np.abs(0.003 * rng.standard_normal(n)))
    low = np.minimum(opens, close) * np.exp(-np.abs(0.003 * rng.standard_normal(n)))
    volume = np.where(rng.random(n) < 0.02, 0.0, rng.lognormal(5, 1, n))
    return of(interval, opened, opens, high, low, close, volume)


def of(interval: Interval, opened: np.ndarray, *prices: np.ndarray) -> Candles:
    """Return candles of columns."""
    columns = [np.ascontiguousarray(one, np.float64) for one in prices]
    return Candles(interval, opened, *columns)


def market(
    count: int, seed: int = 1, *, gaps: bool = False, names: tuple[str, ...] = ("a", "b", "c")
) -> dict[str, Candles]:
    """Return candles of several instruments, `test:A` …, each with the others and its days."""
    own = {
        f"test:{name.upper()}": walk(count, seed + place, gaps=gaps)
        for place, name in enumerate(names)
    }
    days = {
        (name, Interval.D1): walk(
            count // 24 + 40,
            seed + 100 + place,
            interval=Interval.D1,
            begin_ms=BEGIN_MS - 40 * 86_400_000,
        )
        for place, name in enumerate(own)
    }
    inputs = MappingProxyType({**{(name, Interval.H1): one for name, one in own.items()}, **days})
    return {name: replace(one, inputs=inputs) for name, one in own.items()}


def cut(candles: Candles, until_ms: int) -> Candles:
    """Return what had closed at an instant, of the candles and of their inputs."""
    from backtests.context import candle_closes_ms

    def before(series: Candles) -> Candles:
        known = candle_closes_ms(series) <= until_ms
        return first(series, int(known.sum()))

    inputs = {key: before(one) for key, one in candles.inputs.items()}
    return replace(before(candles), inputs=MappingProxyType(inputs))


def first(candles: Candles, count: int) -> Candles:
    """Return the first candles."""
    return part(candles, 0, count)


def part(candles: Candles, begin: int, end: int) -> Candles:
    """Return the candles from one bar to before another."""
    names = ("opened_ms", "open", "high", "low", "close", "volume")
    return replace(candles, **{name: getattr(candles, name)[begin:end] for name in names})
