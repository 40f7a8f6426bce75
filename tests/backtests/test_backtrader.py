"""Backtrader as the oracle: the same signals in both engines must give the same trades.

Both get one run with the same signals, Backtrader through `engine: backtrader`. Bars, sides and the
reasons of exits must be equal; sizes, prices, fees, profits and equity to 1e-11 of what they are a
sum of: Backtrader multiplies a fee in another order, and adds a position's value where Mela adds
notionals, so that the last digits differ.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import replay
from backtests import backtrader as oracle
from backtests import execute
from backtests.candles.prepared import prepare_candles, read_only
from backtests.execute import Buffers
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from backtests.testing.instrument import MONDAY_MS, candles_of
from mela.candles import Candles
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import plan_runs
from mela.interval import DAY_MS, Interval
from mela.messages import RunChunk, read_chunk
from mela.result import Outcome, Status
from mela.run import (
    AtrSizing,
    CashSizing,
    Costs,
    Exits,
    FractionSizing,
    LimitEntry,
    Part,
    Run,
    UnitsSizing,
    from_ms,
)
from mela.scene import parse_scene

DATA = Path(replay.__file__).parent / "data"
FILES = {
    "binance_BTCUSDT_1h": Interval.H1,
    "binance_ETHUSDT_1h": Interval.H1,
    "lean-equity_AAPL_1d": Interval.D1,
    "lean-equity_SPY_1d": Interval.D1,
}
RANDOM_RUNS, RANDOM_CANDLES = 120, 250
REAL_RUNS, REAL_CANDLES = 40, 600
WARMUP = 4
CASH = 10_000.0


@dataclass
class Asked:
    candles: Candles
    signals: Signals
    run: Run

    def on(self, engine: str) -> Outcome:
        given = Strategy(
            "given", "Give the signals.", Part, "", lambda *_: self.signals, lambda _: WARMUP
        )
        run = replace(self.run, engine=engine)
        return next(run_all(self.candles, [run], with_curve=True, catalogue={"given": given}))


def random_market(rng: np.random.Generator) -> Candles:
    """Make a market that gaps and is rounded to ticks, so that levels are met exactly."""
    n = RANDOM_CANDLES
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, n)))
    opened = np.roll(close, 1) * np.exp(rng.normal(0, 0.01, n))
    opened[0] = close[0]
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.015, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.015, n)))
    tick = int(rng.integers(0, 3))
    rows = np.maximum(np.round(np.column_stack([opened, high, low, close]), tick), 1.0)
    return candles_of(list(map(tuple, rows)), Interval(rng.choice(["1d", "1h"])))


def real_market(rng: np.random.Generator) -> Candles:
    """Cut a piece out of the packaged candles."""
    name = str(rng.choice(list(FILES)))
    frame = pd.read_parquet(DATA / f"{name}.parquet")
    first = int(rng.integers(0, len(frame) - REAL_CANDLES))
    part = frame.iloc[first : first + REAL_CANDLES]
    opened = part["open_time"].astype("datetime64[ms, UTC]")
    prices = (part[each].to_numpy(float) for each in ("open", "high", "low", "close"))
    return Candles(
        FILES[name], opened.astype("int64").to_numpy(), *prices, np.ones(REAL_CANDLES)
    )  # volumes are left out: Backtrader does not ask for them


def said(*signals: np.ndarray) -> Signals:
    """Give signals as the engine gives them to its walks, which compile for one type."""
    return Signals(*(read_only(signal, np.bool_) for signal in signals))


def random_run(seed: int, market) -> Asked:
    rng = np.random.default_rng(seed)
    candles = market(rng)
    price = float(np.median(candles.close))
    direction = str(rng.choice(["long", "short", "both"]))
    sized_at = "fill" if direction == "both" else str(rng.choice(["fill", "signal"]))
    sizing = [
        FractionSizing(fraction=float(rng.uniform(0.1, 0.999)), sized_at=sized_at),
        FractionSizing(fraction=1.0 if sized_at == "fill" else 0.97, sized_at=sized_at),
        CashSizing(amount=float(rng.choice([0.3, 0.95])) * CASH, sized_at=sized_at),
        UnitsSizing(units=float(rng.choice([0.5, 0.9])) * CASH / price, sized_at=sized_at),
    ][int(rng.integers(0, 4))]
    run = Run(
        "0" * 64, "yahoo:AAPL", candles.interval, from_ms(int(candles.opened_ms[WARMUP])),
        from_ms(candles.interval.end_ms(int(candles.opened_ms[-1]))), "given", {}, warmup=WARMUP,
        cash=CASH,
        costs=Costs(
            fee=float(rng.choice([0.0, 0.001, 0.01])),
            slippage=float(rng.choice([0.0, 0.0005, 0.01])),
        ),
        sizing=sizing,
        exits=Exits(
            stop_loss=rng.choice([None, 0.01, 0.05]),
            take_profit=rng.choice([None, 0.01, 0.08]),
            cooldown_bars=int(rng.choice([0, 0, 1, 5])),
            protect_from="next",
        ),
        direction=direction,
    )  # fmt: skip
    wanted = rng.random((2, len(candles))) < [[0.25], [0.15]]
    return Asked(candles, said(*wanted), run)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Outcome, Outcome]]:
    asked = [random_run(seed, random_market) for seed in range(RANDOM_RUNS)]
    asked += [random_run(seed, real_market) for seed in range(REAL_RUNS)]
    return [(one.on("mela"), one.on("backtrader")) for one in asked]


def near(value, scale: float = 0.0):
    return pytest.approx(value, rel=1e-11, abs=1e-11 * scale)


def test_every_trade_is_backtraders(pairs) -> None:
    for ours, theirs in pairs:
        assert theirs.error is None
        assert len(ours.curve.trades) == len(theirs.curve.trades)
        for trade, other in zip(ours.curve.trades, theirs.curve.trades, strict=True):
            assert trade[:2] == other[:2]
            assert trade.exit_reason == other.exit_reason
            assert trade[2:6] == near(other[2:6])
            # a profit is a difference of notionals, to whose rounding it is told
            notional = abs(trade.size) * max(trade.entry_price, trade.exit_price)
            assert trade.profit == near(other.profit, scale=notional)


def test_equity_is_backtraders_on_every_candle(pairs) -> None:
    for ours, theirs in pairs:
        assert ours.status == theirs.status
        assert ours.curve.equity.tolist() == near(theirs.curve.equity.tolist(), scale=CASH)
        assert ours.metrics.final_equity == near(theirs.metrics.final_equity, scale=CASH)


def test_the_metrics_are_backtraders(pairs) -> None:
    for ours, theirs in pairs:
        for name in ("trades", "open_trades", "ambiguous_bars", "exposure_time"):
            assert getattr(ours.metrics, name) == getattr(theirs.metrics, name), name
        assert ours.metrics.fees_paid == near(theirs.metrics.fees_paid)
        assert ours.metrics.max_drawdown == pytest.approx(theirs.metrics.max_drawdown, abs=1e-9)
        assert ours.metrics.sharpe == pytest.approx(theirs.metrics.sharpe, rel=1e-6, nan_ok=True)


def test_what_a_walk_counts_is_backtraders() -> None:
    rejected = 0
    for seed in range(20):
        asked = random_run(seed, random_market)
        span = prepare_candles(asked.candles, asked.run)
        ours, theirs = (
            walk(span, asked.run, asked.signals, Buffers.of(len(asked.candles)), np.empty(0))
            for walk in (execute.walk, oracle.walk)
        )
        rejected += ours.rejected
        for name in ("bars", "periods", "rejected", "large", "exposed", "ambiguous", "ruined"):
            assert getattr(ours, name) == getattr(theirs, name), name
        for name in ("fees", "traded", "slippage"):
            assert getattr(ours, name) == near(getattr(theirs, name), scale=CASH), name
    assert rejected > 20


def test_the_runs_meet_everything_often(pairs) -> None:
    """An oracle that is never asked agrees with everything."""
    met: Counter[str] = Counter()
    for ours, _ in pairs:
        trades = ours.curve.trades
        met["trades"] += len(trades)
        met["ambiguous"] += ours.metrics.ambiguous_bars
        for trade in trades:
            met[trade.exit_reason] += 1
            met["short" if trade.size < 0 else "long"] += 1
        for one, following in itertools.pairwise(trades):
            met["reversal"] += one.exit_at == following.entry_at
        met[f"{ours.run.sizing.kind} at {ours.run.sizing.sized_at}"] += len(trades)

    assert met.pop("trades") >= 5_000
    assert {name: count for name, count in met.items() if count < 50} == {}
    assert len(met) == 13


def few(rows, enter=(), exit=(), **fields) -> Asked:
    """Make a run on a handful of daily candles, free of costs unless told."""
    candles = candles_of(rows)
    bars = np.arange(len(rows))
    run = Run(
        "0" * 64, "yahoo:AAPL", Interval.D1, from_ms(int(candles.opened_ms[0])),
        from_ms(Interval.D1.end_ms(int(candles.opened_ms[-1]))), "given", {}, warmup=0,
        **{"cash": 1_000.0, "costs": Costs(fee=0.0, slippage=0.0), **fields},
    )  # fmt: skip
    return Asked(candles, said(np.isin(bars, enter), np.isin(bars, exit)), run)


def still(price: float):
    return (price, price, price, price)


def test_a_short_is_worth_the_same_after_it_has_doubled() -> None:
    """Backtrader's own value of it rises again from there."""
    rows = [still(100), still(100), still(250), still(290), still(100)]
    asked = few(rows, exit=[0], direction="short", sizing=FractionSizing(fraction=0.5))

    ours, theirs = asked.on("mela"), asked.on("backtrader")

    assert ours.curve.equity.tolist() == [1_000.0, 1_000.0, 250.0, 50.0, 1_000.0]
    assert theirs.curve.equity.tolist() == near(ours.curve.equity.tolist())


def test_a_short_ruins_both_on_the_same_close() -> None:
    rows = [still(100), still(100), still(250), still(50)]
    asked = few(rows, exit=[0], direction="short", sizing=FractionSizing(fraction=1.0))

    for outcome in (asked.on("mela"), asked.on("backtrader")):
        assert outcome.status == Status.RUINED
        assert outcome.curve.equity.tolist() == near([1_000.0, 1_000.0, -500.0])
        assert outcome.metrics.open_trades == 1


def test_an_entry_beyond_the_cash_is_rejected_by_both() -> None:
    asked = few([still(100)] * 3, enter=[0], sizing=UnitsSizing(units=10.5))
    span = prepare_candles(asked.candles, asked.run)

    for walk in (execute.walk, oracle.walk):
        walked = walk(span, asked.run, asked.signals, Buffers.of(3), np.empty(0))
        assert (walked.rejected, walked.open_trades, walked.final) == (1, 0, 1_000.0)


def test_backtraders_own_sizer_sizes_at_the_signal() -> None:
    sizing = FractionSizing(fraction=0.5, sized_at="signal")
    rows = [still(100), still(125), still(125)]
    asked = few(rows, enter=[0], exit=[1], sizing=sizing)

    for engine in ("mela", "backtrader"):
        (trade,) = asked.on(engine).curve.trades
        assert (trade.size, trade.entry_price) == (5.0, 125.0)  # half of 1,000 at 100


def test_one_candle_is_enough() -> None:
    outcome = few([still(100)], enter=[0]).on("backtrader")

    assert (outcome.status, outcome.metrics.final_equity) == (Status.SUCCEEDED, 1_000.0)


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("entry.kind", {"entry": LimitEntry(offset=0.01)}),
        ("sizing.kind", {"sizing": AtrSizing()}),
        ("sizing.whole_units", {"sizing": UnitsSizing(units=1, whole_units=True)}),
        ("sizing.max_exposure", {"sizing": FractionSizing(max_exposure=0.5)}),
        ("sizing.sized_at", {"direction": "both", "sizing": FractionSizing(sized_at="signal")}),
        ("costs.minimum_fee", {"costs": Costs(minimum_fee=1.0)}),
        ("costs.borrow_rate", {"costs": Costs(borrow_rate=0.1)}),
        ("costs.impact", {"costs": Costs(impact=0.1)}),
        ("costs.round_to_tick", {"costs": Costs(round_to_tick=True)}),
        ("exits.trailing_stop", {"exits": Exits(trailing_stop=0.1)}),
        ("exits.time_stop_bars", {"exits": Exits(time_stop_bars=3)}),
        ("exits.daily_loss_limit", {"exits": Exits(daily_loss_limit=0.1)}),
        ("exits.protect_from", {"exits": Exits(stop_loss=0.1)}),
    ],
)
def test_what_backtrader_cannot_do_is_refused(field, asked) -> None:
    """When the scene is planned, and by the engine itself."""
    outcome = few([still(100)] * 3, enter=[0], **asked).on("backtrader")
    assert outcome.status == Status.FAILED
    assert outcome.error[1].startswith(f"{field}: engine backtrader")

    scene = {name: getattr(part, "__dict__", part) for name, part in asked.items()}
    with pytest.raises(SceneInvalid) as refused:
        plan_runs(parse_scene({**SCENE, **scene}), CATALOGUE, max_runs=10)
    assert (refused.value.code, refused.value.field) == (RejectionCode.INVALID_FIELD, field)


def test_candles_without_volume_are_refused() -> None:
    asked = few([still(100)] * 3, enter=[0])
    asked.candles.volume[1] = 0.0

    outcome = asked.on("backtrader")

    assert outcome.status == Status.FAILED
    assert "without volume" in outcome.error[1]


SCENE = {
    "instruments": ["yahoo:AAPL"],
    "interval": "1d",
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-03-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 5}},
    "engine": "backtrader",
}


def test_a_scene_at_its_defaults_runs_on_backtrader_where_the_workers_run_it() -> None:
    """What a worker gets is a chunk's bytes: they must name the engine, and so must the key."""
    plan = plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=10)
    mela = plan_runs(parse_scene({**SCENE, "engine": "mela"}), CATALOGUE, max_runs=10)
    chunk = RunChunk("0" * 32, 0, tuple(plan.expand()))
    (run,) = read_chunk(chunk.to_bytes(), CATALOGUE).runs
    rng = np.random.default_rng(1)
    candles = random_market(rng)
    candles = replace(
        candles, interval=Interval.D1, opened_ms=MONDAY_MS + DAY_MS * np.arange(len(candles))
    )

    (theirs,) = run_all(candles, [run], with_curve=True)
    (ours,) = run_all(candles, list(mela.expand()), with_curve=True)

    assert run.engine == "backtrader"
    assert run.run_key != ours.run.run_key
    assert theirs.curve.equity.tolist() == near(ours.curve.equity.tolist(), scale=CASH)
    assert theirs.metrics.trades > 2


def test_backtrader_is_loaded_only_where_a_run_asks_for_it() -> None:
    code = "import sys, backtests.simulate as s; s.warm(); sys.exit('backtrader' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0

    code = "import backtests.backtrader"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
