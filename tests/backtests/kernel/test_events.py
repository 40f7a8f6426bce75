"""The walk from event to event and the walk of all rules must not differ in any bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests import execute
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers, is_plain
from backtests.kernel.crossings import SIGNALS_PER_BLOCK, crossing_bars, mean_crossing_bars
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.simulate import run_all
from backtests.testing.instrument import candles_of
from mela.interval import Interval
from mela.run import (
    AtrSizing,
    Costs,
    Exits,
    FractionSizing,
    LimitEntry,
    Run,
    from_ms,
)


def run_on(candles, **fields) -> Run:
    opened = candles.opened_ms
    return Run(
        "", "binance:BTCUSDT", candles.interval, from_ms(int(opened[8])),
        from_ms(candles.interval.end_ms(int(opened[-1]))), "given", {}, warmup=8, **fields,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    fee=st.sampled_from([0.0, 0.001, 0.02]),
    slippage=st.sampled_from([0.0, 0.0005, 0.03]),
    fraction=st.floats(0.05, 1.0),
    stop_loss=st.sampled_from([None, 0.01, 0.05]),
    take_profit=st.sampled_from([None, 0.01, 0.08]),
    cooldown=st.integers(0, 6),
    protect=st.sampled_from(["entry", "next"]),
    interval=st.sampled_from([Interval.D1, Interval.H8, Interval.M15]),
)
def test_both_walks_give_the_same_bits(
    seed, fee, slippage, fraction, stop_loss, take_profit, cooldown, protect, interval
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 1_200))
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, n))), 1)
    opens = np.maximum(np.round(np.roll(close, 1) * np.exp(rng.normal(0, 0.004, n)), 1), 0.1)
    close = np.maximum(close, 0.1)
    high = np.maximum(opens, close) + rng.choice([0.0, 0.5, 2.0], n)
    low = np.maximum(np.minimum(opens, close) - rng.choice([0.0, 0.5, 2.0], n), 0.1)
    candles = candles_of(list(zip(opens, high, low, close, strict=True)), interval)
    silent = rng.random(n) < rng.choice([0.0, 0.05, 0.4])
    candles = replace(candles, volume=np.where(silent, 0.0, candles.volume))
    exits = Exits(
        stop_loss=stop_loss, take_profit=take_profit, cooldown_bars=cooldown, protect_from=protect
    )
    run = run_on(
        candles,
        costs=Costs(fee=fee, slippage=slippage),
        sizing=FractionSizing(fraction=fraction),
        exits=exits,
    )
    flags = rng.random((2, n)) < rng.choice([0.02, 0.2, 0.6], 2)[:, None]
    flags.flags.writeable = False  # as the engine gives them: one compiled form is enough
    signals = Signals(flags[0], flags[1])
    span = prepare_candles(candles, run)
    found = []
    for walk in (execute._walk_events, execute._walk_bars):
        buffers, equity = Buffers.of(n), np.empty(span.bars)
        walked = walk(span, run, signals, buffers, equity)
        fills = buffers.trades[: walked.trades].tolist()
        account = buffers.period_equity[: walked.periods].tolist()
        found.append((walked, fills, account, equity.tolist(), buffers.drawdown.tolist()))

    assert is_plain(run)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"direction": "both"},
        {"entry": LimitEntry(offset=0.01)},
        {"sizing": AtrSizing()},
        {"sizing": FractionSizing(whole_units=True)},
        {"sizing": FractionSizing(max_exposure=0.5)},
        {"sizing": FractionSizing(sized_at="signal")},
        {"costs": Costs(minimum_fee=1.0)},
        {"costs": Costs(impact=0.1)},
        {"costs": Costs(round_to_tick=True)},
        {"exits": Exits(trailing_stop=0.1)},
        {"exits": Exits(time_stop_bars=5)},
        {"exits": Exits(daily_loss_limit=0.1)},
    ],
)
def test_whatever_the_short_walk_does_not_know_goes_the_long_way(fields) -> None:
    run = run_on(candles_of([(100, 100, 100, 100)] * 10))

    assert is_plain(run)
    assert not is_plain(replace(run, **fields))


@pytest.mark.parametrize("tick", [1, 4])
@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (3, 7), (10, 30), (99, 100), (5, 900)])
def test_crossings_of_means_are_those_of_talibs_lines(tick: int, fast: int, slow: int) -> None:
    """Tick-rounded closes make means that are equal but for their last bits."""
    rng = np.random.default_rng(tick)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.3, 3_000)), tick)
    room, flags = np.empty((4, 3_001), np.int64), np.zeros((2, SIGNALS_PER_BLOCK), np.bool_)
    lines = talib.SMA(close, fast), talib.SMA(close, slow)

    expected = crossing_bars(*lines, 64, room[0], room[1], flags, flags.view(np.int64))
    found = mean_crossing_bars(close, fast, slow, 64, room[2], room[3])

    assert found == expected
    assert room[2, : found[0]].tolist() == room[0, : found[0]].tolist()
    assert room[3, : found[1]].tolist() == room[1, : found[1]].tolist()
    above, below = crosses_above(*lines), crosses_below(*lines)
    assert room[0, : found[0]].tolist() == [bar for bar in np.flatnonzero(above) if bar >= 64]
    assert room[1, : found[1]].tolist() == [bar for bar in np.flatnonzero(below) if bar >= 64]


def test_means_longer_than_the_candles_never_cross() -> None:
    room = np.empty((2, 4), np.int64)

    assert mean_crossing_bars(np.array([1.0, 2.0, 1.0]), 2, 4, 0, room[0], room[1]) == (0, 0)


def test_a_run_alone_and_in_a_grid_give_the_same_bits() -> None:
    rng = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.3, 900)), 1)
    candles = candles_of([(p, p + 1, p - 1, p) for p in close], Interval.H1)
    runs = [
        replace(run_on(candles), strategy="sma_cross", params={"fast": 3, "slow": slow}, warmup=64)
        for slow in (5, 8, 13)
    ]

    together = list(run_all(candles, runs))

    assert [next(run_all(candles, [run])).metrics for run in runs] == [
        outcome.metrics for outcome in together
    ]
    assert all(outcome.metrics.trades > 10 for outcome in together)
