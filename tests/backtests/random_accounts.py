"""Random accounts of several instruments, and everything that can be asked of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from backtests.testing.instrument import MONDAY_MS
from backtests.testing.portfolio import execute_together
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval
from mela.portfolio import (
    EqualWeights,
    FixedWeights,
    InverseVolatility,
    OnDrift,
    OnSchedule,
    OnSignals,
)
from mela.result import Outcome

NAMES = ("a:X", "b:Y", "c:Z")
INPUTS = ("strength", "stop", "target")
FREE_AFTER = {"after": 3, "gain": 0.0}
COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")


def close_to(values):
    return pytest.approx(values, rel=1e-9, abs=1e-9)


def first(candles: Candles, before_ms: int) -> Candles:
    count = int(np.searchsorted(candles.opened_ms, before_ms))
    return replace(candles, **{name: getattr(candles, name)[:count] for name in COLUMNS})


def market(seed: int, bars: int, *, holidays: float = 0.0, silent: float = 0.0) -> Candles:
    """Return hourly candles that jump between close and open.

    holidays, silent: the shares of candles that are missing and that have no volume
    """
    chance = np.random.default_rng(seed)
    open_ = 100 * np.cumprod(1 + chance.normal(0, 0.03, bars))
    close = open_ * (1 + chance.normal(0, 0.03, bars))
    high = np.maximum(open_, close) * (1 + chance.random(bars) * 0.03)
    low = np.minimum(open_, close) * (1 - chance.random(bars) * 0.03)
    volume = np.where(chance.random(bars) < silent, 0.0, 1e6)
    there = chance.random(bars) >= holidays
    there[int(chance.integers(bars))] = True
    opened_ms = MONDAY_MS + HOUR_MS * np.arange(bars, dtype=np.int64)
    columns = (opened_ms, open_, high, low, close, volume)
    return Candles(Interval.H1, *(column[there] for column in columns))


def signals(seed: int, candles: Candles) -> tuple[list[int], list[int]]:
    chance = np.random.default_rng(seed + 1_000)
    enter = np.flatnonzero(chance.random(len(candles)) < 0.25)
    leave = np.flatnonzero(chance.random(len(candles)) < 0.2)
    return enter.tolist(), leave.tolist()


def inputs(seed: int, candles: Candles) -> dict[str, list[float]]:
    """Return strengths, and levels on either side of the market, some of which are none."""
    chance = np.random.default_rng(seed + 2_000)
    n = len(candles)
    levels = candles.close * (1 + chance.normal(0, 0.04, (2, n)))
    levels[chance.random((2, n)) < 0.5] = np.nan
    return {
        "strength": chance.choice([0.2, 0.55, 1.0], n).tolist(),
        "stop": levels[0].tolist(),
        "target": levels[1].tolist(),
    }


def weights_of(kind: str, names: tuple[str, ...]):
    if kind == "fixed":
        return FixedWeights(
            of={name: 0.9 / len(names) + 0.01 * at for at, name in enumerate(names)}
        )
    return InverseVolatility(period=3) if kind == "inverse_volatility" else EqualWeights()


@st.composite
def accounts(draw):
    """Draw instruments with holidays, their signals, and everything that can be asked."""
    seed, count = draw(st.integers(0, 2**31)), draw(st.integers(1, 3))
    names = NAMES[:count]
    holidays = draw(st.sampled_from([0.0, 0.3]))
    silent = draw(st.sampled_from([0.0, 0.2, 1.0]))
    bars = draw(st.integers(2, 80))
    series = {
        name: market(seed + at, bars, holidays=holidays, silent=silent)
        for at, name in enumerate(names)
    }
    said = {name: signals(seed + at, series[name]) for at, name in enumerate(names)}
    steps = len(np.unique(np.concatenate([one.opened_ms for one in series.values()])))
    asked = {
        "weights": weights_of(
            draw(st.sampled_from(["equal", "fixed", "inverse_volatility"])), names
        ),
        "rebalance": draw(
            st.sampled_from(
                [OnSignals(), OnSchedule(every="1d"), OnSchedule(), OnDrift(threshold=0.0307)]
            )
        ),
        "warmup": draw(st.integers(0, min(10, steps - 1))),
        "fee": draw(st.sampled_from([0.0, 0.001, 0.05])),
        "slippage": draw(st.sampled_from([0.0, 0.0005, 0.02])),
        "costs": {"borrow_rate": draw(st.sampled_from([0.0, 0.1]))},
        "whole_units": draw(st.booleans()),
        "delisted": draw(st.sampled_from(["close", "hold"])),
        "direction": draw(st.sampled_from(["long", "short", "both"])),
        "stop_loss": draw(st.sampled_from([None, 0.04])),
        "take_profit": draw(st.sampled_from([None, 0.05])),
        "trailing_stop": draw(st.sampled_from([None, 0.06])),
        "trailing_start": draw(st.sampled_from([0.0, 0.03])),
        "cooldown_bars": draw(st.sampled_from([0, 2])),
        "protect_from": draw(st.sampled_from(["entry", "next"])),
        "targets": draw(
            st.sampled_from(
                [None, [{"after": 0, "gain": 0.06}, {"after": 2, "gain": 0.02}], [FREE_AFTER]]
            )
        ),
    }
    if asked["targets"]:
        asked["take_profit"] = None
    drawn = {name: inputs(seed + at, series[name]) for at, name in enumerate(names)}
    for kind in INPUTS:
        some = [name for name in names if draw(st.booleans())]
        asked[kind] = {name: drawn[name][kind] for name in some} or None
    return series, said, asked


def executed(series, said, asked) -> Outcome:
    enter = {name: one[0] for name, one in said.items()}
    leave = {name: one[1] for name, one in said.items()}
    return execute_together(series, enter, leave, **asked)
