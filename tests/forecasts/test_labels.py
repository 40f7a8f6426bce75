"""Labels: small numbers by hand, and slow plain Python that says the same of any candles."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.context import candle_closes_ms
from forecasts.labels import UNKNOWN, is_class, label
from mela.candles import Candles
from mela.execution_terms import Costs
from mela.interval import HOUR_MS, Interval
from mela.training import ForwardReturn, ForwardSign, TripleBarrier, VolatilityScaled
from tests.forecasts.made import BEGIN_MS, of, walk

FREE = Costs(fee=0.0, slippage=0.0)
COSTLY = Costs(fee=0.01, slippage=0.005)


def flat(opens: list[float], **other: list[float]) -> Candles:
    """Return hourly candles that do not move but from one to the next."""
    opened = BEGIN_MS + np.arange(len(opens), dtype=np.int64) * HOUR_MS
    columns = {name: np.array(other.get(name, opens)) for name in ("open", "high", "low", "close")}
    return of(Interval.H1, opened, *columns.values(), np.ones(len(opens)))


def test_a_decision_buys_at_the_next_open_and_sells_horizon_opens_later() -> None:
    candles = flat([100.0, 110.0, 121.0, 99.0, 50.0])
    found = label(candles, ForwardReturn(horizon=2), FREE)
    assert found.y[:2].tolist() == pytest.approx([99 / 110 - 1, 50 / 121 - 1], rel=1e-12)
    assert np.isnan(found.y[2:]).all()
    # decided at 01:00, bought at 01:00, sold at 03:00
    assert found.until_ms[0] == BEGIN_MS + 3 * HOUR_MS
    assert found.until_ms[2:].tolist() == [UNKNOWN] * 3


def test_costs_are_those_of_two_fills() -> None:
    candles = flat([100.0, 100.0, 120.0])
    found = label(candles, ForwardReturn(horizon=1), COSTLY)
    paid, got = 100 * 1.005 * 1.01, 120 * 0.995 * 0.99
    assert found.y[0] == pytest.approx(got / paid - 1, rel=1e-12)
    assert found.returns[0] == found.y[0]


def test_the_sign_is_that_of_the_net_return() -> None:
    candles = flat([100.0, 100.0, 101.0, 120.0])
    assert label(candles, ForwardSign(horizon=1), FREE).y[:2].tolist() == [1.0, 1.0]
    assert label(candles, ForwardSign(horizon=1), COSTLY).y[:2].tolist() == [0.0, 1.0]
    assert is_class(ForwardSign())
    assert not is_class(VolatilityScaled())


def test_a_session_open_is_known_at_its_close_at_the_latest() -> None:
    opened = np.array([1_672_704_000_000 + day * 86_400_000 for day in range(3)], np.int64)
    price = np.array([100.0, 101.0, 102.0])  # 3 to 5 January 2023, Tuesday to Thursday
    candles = of(Interval.D1, opened, price, price, price, price, price)
    candles = replace(candles, calendar="XNYS")
    found = label(candles, ForwardReturn(horizon=1), FREE)
    assert found.until_ms[0] == candle_closes_ms(candles)[2] == opened[2] + 21 * HOUR_MS


def slow_volatility(candles: Candles, window: int, bar: int) -> float:
    if bar < window:
        return math.nan
    logs = [math.log(one) for one in candles.close[bar - window : bar + 1]]
    moved = [after - before for before, after in itertools.pairwise(logs)]
    return statistics.stdev(moved)


def slow_barrier(candles: Candles, kind: TripleBarrier, bar: int) -> tuple[float, float, int]:
    """Return side, price and when it is known, as the docstring of the label states them."""
    volatility = slow_volatility(candles, kind.window, bar)
    if math.isnan(volatility) or bar + 1 >= len(candles):
        return math.nan, math.nan, UNKNOWN
    entry = float(candles.open[bar + 1])
    top, bottom = (
        entry * math.exp(kind.upper * volatility),
        entry * math.exp(-kind.lower * volatility),
    )
    for held in range(kind.horizon + 1):
        now = bar + 1 + held
        if now >= len(candles):
            break
        opened, closed = int(candles.opened_ms[now]), int(candles.opened_ms[now]) + HOUR_MS
        price = float(candles.open[now])
        if held == kind.horizon:
            return 0.0, price, opened
        if held and price <= bottom:
            return -1.0, price, opened
        if candles.low[now] <= bottom:
            return -1.0, bottom, closed
        if held and price >= top:
            return 1.0, price, opened
        if candles.high[now] >= top:
            return 1.0, top, closed
    return math.nan, math.nan, UNKNOWN


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.booleans(),
    horizon=st.integers(1, 12),
    upper=st.floats(0.2, 4),
    lower=st.floats(0.2, 4),
)
def test_the_triple_barrier_is_what_plain_python_says(
    seed: int, gaps: bool, horizon: int, upper: float, lower: float
) -> None:
    candles = walk(60, seed, gaps=gaps)
    kind = TripleBarrier(horizon=horizon, upper=upper, lower=lower, window=8)
    found = label(candles, kind, COSTLY)
    for bar in range(len(candles)):
        side, price, until = slow_barrier(candles, kind, bar)
        assert found.until_ms[bar] == until
        if until == UNKNOWN:
            assert math.isnan(found.y[bar])
            assert math.isnan(found.returns[bar])
            continue
        assert found.y[bar] == side
        got, paid = price * 0.995 * 0.99, float(candles.open[bar + 1]) * 1.005 * 1.01
        assert found.returns[bar] == pytest.approx(got / paid - 1, rel=1e-7, abs=1e-9)


def test_both_barriers_in_one_candle_are_a_loss() -> None:
    close = [100.0, 101.0, 100.0, 101.0, 100.0, 100.0]
    candles = flat(
        close,
        high=[100.0, 101.0, 101.0, 101.0, 150.0, 100.0],
        low=[100.0, 100.0, 100.0, 100.0, 50.0, 100.0],
    )
    found = label(candles, TripleBarrier(horizon=1, window=3), FREE)
    assert found.y[3] == -1.0
    assert found.until_ms[3] == BEGIN_MS + 5 * HOUR_MS  # the close of the fifth candle


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), horizon=st.integers(1, 9))
def test_the_scaled_label_is_what_plain_python_says(seed: int, horizon: int) -> None:
    candles = walk(50, seed)
    found = label(candles, VolatilityScaled(horizon=horizon, window=6), COSTLY)
    for bar in range(len(candles)):
        last = bar + 1 + horizon
        if last >= len(candles) or bar < 6:
            assert math.isnan(found.y[bar])
            continue
        gross = math.log(candles.open[last] / candles.open[bar + 1])
        expected = gross / (slow_volatility(candles, 6, bar) * math.sqrt(horizon))
        assert found.y[bar] == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_a_label_without_movement_is_none() -> None:
    found = label(flat([100.0] * 30), TripleBarrier(horizon=2, window=5), FREE)
    assert np.isnan(found.y).all()
