"""The kernel of all rules is the plain reading of them, on whatever market and terms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests import execute
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.signals import Signals
from backtests.testing.instrument import candles_of
from mela.candles import Candles
from mela.interval import Interval
from mela.run import (
    AtrSizing,
    CashSizing,
    Costs,
    Exits,
    FractionSizing,
    LimitEntry,
    MarketEntry,
    RiskSizing,
    Run,
    StopEntry,
    UnitsSizing,
    VolatilitySizing,
    from_ms,
)
from tests.backtests.kernel.plain import Decisions, walk_plainly

REASONS = ["", "signal", "stop_loss", "take_profit", "trailing_stop", "time_stop", "daily_loss"]
CASH = 1_000.0


def market(rng: np.random.Generator) -> Candles:
    """Make candles that gap, tie with levels, stand still and sometimes have no volume."""
    n = int(rng.integers(3, 80))
    step = rng.choice([0.01, 0.04])
    opened, close = np.empty(n), np.empty(n)
    last = 100.0
    for bar in range(n):
        opened[bar] = max(round(last * (1 + rng.choice([0.0, rng.normal(0, step)])), 1), 1.0)
        close[bar] = last = max(round(opened[bar] * (1 + rng.normal(0, step)), 1), 1.0)
    wick = np.round(rng.choice([0.0, 0.5, 2.0, 5.0], (2, n)), 1)
    high = np.maximum(opened, close) + wick[0]
    low = np.maximum(np.minimum(opened, close) - wick[1], 0.1)
    interval = Interval(rng.choice(["1d", "8h", "1h"]))
    volume = rng.choice([0.0, 2.0, 30.0, 500.0], n, p=[0.1, 0.2, 0.3, 0.4])
    if rng.random() < 0.4:
        volume = np.full(n, rng.choice([0.0, 100.0]))
    candles = candles_of(list(zip(opened, high, low, close, strict=True)), interval)
    keep = np.flatnonzero(rng.random(n) < rng.choice([0.8, 1.0]))  # weekends, outages
    keep = keep if len(keep) > 2 else np.arange(n)
    return Candles(
        interval,
        *(column[keep] for column in (candles.opened_ms, opened, high, low, close, volume)),
        tick=float(rng.choice([0.1, 0.25, 5.0])),
        lot=rng.choice([None, 0.1, 3.0]),
    )


PERHAPS = {"level": [None, None, 0.005, 0.03, 0.2]}


@st.composite
def sizings(draw):
    rules = {
        "whole_units": draw(st.booleans()),
        "max_exposure": draw(st.sampled_from([1.0, 1.0, 0.4, 3.0])),
        "sized_at": draw(st.sampled_from(["fill", "fill", "signal"])),
    }
    return draw(
        st.sampled_from(
            [
                FractionSizing(fraction=0.95, **rules),
                FractionSizing(fraction=1.0, **rules),
                CashSizing(amount=300.0, **rules),
                CashSizing(amount=1_000.0, **rules),
                UnitsSizing(units=3.0, **rules),
                UnitsSizing(units=9.7, **rules),
                RiskSizing(risk=0.02, **rules),
                AtrSizing(risk=0.03, period=3, **rules),
                VolatilitySizing(target=0.5, period=4, **rules),
            ]
        )
    )


@st.composite
def asked(draw) -> dict:
    """Draw the fields of a run: each rule is left out about as often as it is asked for."""
    level = st.sampled_from(PERHAPS["level"])
    sizing = draw(sizings())
    stop_loss = draw(level)
    if isinstance(sizing, RiskSizing):
        stop_loss = stop_loss or 0.05
    resting = {
        "offset": draw(st.sampled_from([0.001, 0.01, 0.05])),
        "valid_bars": draw(st.integers(1, 4)),
    }
    return {
        "direction": draw(st.sampled_from(["long", "short", "both"])),
        "entry": draw(
            st.sampled_from([MarketEntry(), LimitEntry(**resting), StopEntry(**resting)])
        ),
        "sizing": sizing,
        "costs": Costs(
            fee=draw(st.sampled_from([0.0, 0.001, 0.05])),
            slippage=draw(st.sampled_from([0.0, 0.0005, 0.05])),
            minimum_fee=draw(st.sampled_from([0.0, 0.0, 2.0, 40.0])),
            borrow_rate=draw(st.sampled_from([None, 0.0, 0.1, 20.0])),
            impact=draw(st.sampled_from([0.0, 0.0, 0.01, 0.5])),
            round_to_tick=draw(st.booleans()),
        ),
        "exits": exits_of(
            resting,
            stop_loss=stop_loss,
            take_profit=draw(level),
            trailing_stop=draw(level),
            # not drawn: another draw would shift what the counted examples meet
            trailing_start=resting["offset"] if resting["valid_bars"] > 2 else 0.0,
            time_stop_bars=draw(st.sampled_from([None, None, 1, 4])),
            daily_loss_limit=draw(st.sampled_from([None, None, 0.01, 0.06])),
            cooldown_bars=draw(st.sampled_from([0, 0, 1, 3])),
            protect_from=draw(st.sampled_from(["entry", "next"])),
        ),
    }


def exits_of(resting: dict, **fields) -> Exits:
    """Return drawn exits; what is new is taken of what is drawn, as `trailing_start` is."""
    bars, offset = resting["valid_bars"], resting["offset"]
    goal = fields["take_profit"]
    if goal is not None and bars in (2, 4):
        steps = [(0, 2 * goal), (2, goal), (5, 0.0)][bars // 4 :]
        fields["targets"] = [{"after": after, "gain": gain} for after, gain in steps]
        fields["take_profit"] = None
    if bars in (1, 4):
        fields["limit_offset"] = offset
    return Exits(**fields, limit_bars=bars)


def run_on(candles: Candles, warmup: int, fields: dict) -> Run:
    opened = candles.opened_ms
    return Run(
        "", "binance:BTCUSDT", candles.interval, from_ms(int(opened[warmup])),
        from_ms(candles.interval.end_ms(int(opened[-1]))), "given", {}, warmup=warmup,
        cash=CASH, **fields,
    )  # fmt: skip


def inputs_on(rng: np.random.Generator, candles: Candles) -> dict[str, np.ndarray]:
    """Make strengths, and levels on either side of the market, of which some are left out."""
    n = len(candles)
    away = rng.choice([0.0, 0.01, 0.03, 0.1], (2, n)) * rng.choice([-1, 1], (2, n), p=[0.3, 0.7])
    levels = np.round(candles.close * (1 + away * [[-1], [1]] * rng.choice([-1, 1])), 1)
    levels[rng.random((2, n)) < 0.4] = np.nan
    levels[levels <= 0] = np.nan
    made = {
        "strength": rng.choice([0.1, 0.5, 1.0], n),
        "stop": levels[0],
        "target": levels[1],
        "exit_price": np.roll(levels[1], 1),
    }
    return {name: values for name, values in made.items() if rng.random() < 0.4}


def both_ways(seed: int, fields: dict):
    """Walk one random market twice; return the span, what the kernel found, what is plain."""
    rng = np.random.default_rng(seed)
    candles = market(rng)
    n, warmup = len(candles), int(rng.integers(0, len(candles) - 1))
    flags = rng.random((4, n)) < rng.choice([0.05, 0.2, 0.5], 4)[:, None]
    mirrored = rng.random() < 0.5
    run = run_on(candles, warmup, fields)
    span = prepare_candles(candles, run)

    buffers, equity = Buffers.of(n), np.empty(span.bars)
    inputs = inputs_on(rng, candles)
    signals = Signals(*flags[:2], **inputs) if mirrored else Signals(*flags, **inputs)
    walked = execute._walk_bars(span, run, signals, buffers, equity)

    bars = [set(np.flatnonzero(flag).tolist()) for flag in flags]
    given = {
        name: {bar: float(v) for bar, v in enumerate(values) if not np.isnan(v)}
        for name, values in inputs.items()
    }
    decisions = Decisions(*bars[:2], **given) if mirrored else Decisions(*bars, **given)
    plain = walk_plainly(replace(candles, start_bar=warmup), decisions, run)
    return walked, buffers.trades[: walked.trades].tolist(), equity[: walked.bars].tolist(), plain


def near(values):
    # Gauges come from TA-Lib, whose sums differ from plain ones in the last digits.
    return pytest.approx(values, rel=1e-9, abs=1e-9)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), fields=asked())
def test_the_kernel_is_the_rules_read_candle_by_candle(seed, fields) -> None:
    walked, fills, equity, plain = both_ways(seed, fields)

    exactly = fields["sizing"].kind not in ("atr_risk", "volatility_target")
    same = (lambda values: values) if exactly else near
    assert [REASONS[fill[7]] for fill in fills] == [trade[7] for trade in plain.trades]
    assert [fill[:2] for fill in fills] == [trade[:2] for trade in plain.trades]
    for fill, trade in zip(fills, plain.trades, strict=True):
        assert [*fill[2:7]] == same([*trade[2:7]])
        assert [*fill[8:10]] == near([*trade[8:]])
    assert equity == near(plain.equity)
    counted = (walked.ruined, walked.open_trades, walked.exposed, walked.ambiguous)
    assert counted == (
        plain.ruined, plain.position is not None, plain.exposed, plain.ambiguous,
    )  # fmt: skip
    assert (walked.rejected, walked.large) == (plain.rejected, plain.large)
    assert [walked.fees, walked.traded, walked.slippage, walked.borrow] == near(
        [plain.fees, plain.traded, plain.slipped, plain.borrowed]
    )


def test_the_random_terms_meet_every_rule() -> None:
    """A reference that is never asked agrees with everything."""
    met: dict[str, int] = {}

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(seed=st.integers(0, 2**32 - 1), fields=asked())
    def count(seed, fields) -> None:
        walked, fills, _, plain = both_ways(seed, fields)
        names = [REASONS[fill[7]] for fill in fills]
        names += [f"{fields['entry'].kind} entry"] * len(fills)
        names += [f"{fields['sizing'].kind} size"] * len(fills)
        names += ["short" if fill[2] < 0 else "long" for fill in fills]
        names += ["rejected"] * walked.rejected + ["ambiguous"] * walked.ambiguous
        names += ["large"] * walked.large + ["borrow"] * (walked.borrow > 0)
        names += ["ruined"] * walked.ruined
        pairs = zip(plain.trades, plain.trades[1:], strict=False)
        names += ["reversal"] * sum(a[1] == b[0] and a[2] * b[2] < 0 for a, b in pairs)
        names += ["within a candle"] * sum(fill[0] == fill[1] for fill in fills)
        for name in names:
            met[name] = met.get(name, 0) + 1

    count()
    wanted = [
        *REASONS[1:], *(f"{kind} entry" for kind in ("market", "limit", "stop")),
        *(f"{kind} size" for kind in (
            "fraction", "cash", "units", "risk_per_trade", "atr_risk", "volatility_target",
        )),
        "long", "short", "rejected", "ambiguous", "large", "borrow", "reversal", "within a candle",
    ]  # fmt: skip
    assert {name: met.get(name, 0) for name in wanted if met.get(name, 0) < 20} == {}
    assert met.get("ruined", 0) > 0
