"""What holds for every market and every run, searched for by hypothesis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests.indicators import Indicators
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.testing.instrument import MONDAY_MS, candles_of, execute
from mela.candles import Candles
from mela.interval import Interval
from mela.result import Status, Trade
from mela.run import Costs, Exits, FractionSizing, Run, from_ms
from tests.backtests.kernel.plain import Decisions, walk_plainly

COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
PERIOD = st.integers(2, 5)
WIDTH = st.sampled_from([0.5, 1.0, 1.7])
FAST_SLOW = st.integers(2, 4).flatmap(
    lambda fast: st.fixed_dictionaries({"fast": st.just(fast), "slow": st.integers(fast + 1, 8)})
)
BANDS = st.fixed_dictionaries({"period": PERIOD, "deviations": WIDTH})
PARTS = [
    [
        {"name": "sma_cross", "params": {"fast": 2, "slow": 3}},
        {"name": "ema_cross", "params": {"fast": 2, "slow": 4}},
        {"name": "macd_cross", "params": {"fast": 2, "slow": 3, "signal": 2}},
    ],
    [
        {"name": "sma_cross", "params": {"fast": 1, "slow": 3}},
        {"name": "rsi_reversion", "params": {"period": 2, "lower": 40, "upper": 60}},
        {"name": "donchian_breakout", "params": {"entry": 4, "exit": 2}},
    ],
]
PARAMS = {
    "sma_cross": st.integers(1, 4).flatmap(
        lambda fast: st.fixed_dictionaries(
            {"fast": st.just(fast), "slow": st.integers(fast + 1, 8)}
        )
    ),
    "rsi_reversion": st.fixed_dictionaries(
        {"period": st.integers(2, 5), "lower": st.integers(5, 50), "upper": st.integers(51, 95)}
    ),
    "ema_cross": FAST_SLOW,
    "macd_cross": FAST_SLOW.flatmap(
        lambda pair: st.fixed_dictionaries(
            {"signal": PERIOD, **{n: st.just(pair[n]) for n in pair}}
        )
    ),
    "bollinger_breakout": BANDS,
    "bollinger_reversion": BANDS,
    "donchian_breakout": st.fixed_dictionaries(
        {"entry": st.integers(4, 8), "exit": st.integers(2, 4)}
    ),
    "supertrend": st.fixed_dictionaries({"period": PERIOD, "multiplier": WIDTH}),
    "adx_trend": st.fixed_dictionaries({"period": PERIOD, "threshold": st.integers(0, 60)}),
    "keltner_breakout": st.fixed_dictionaries(
        {"period": PERIOD, "atr_period": st.integers(1, 5), "multiplier": WIDTH}
    ),
    "stochastic": st.fixed_dictionaries(
        {
            "period": st.integers(1, 6),
            "slowing": st.integers(1, 3),
            "signal": st.integers(1, 3),
            "lower": st.integers(5, 50),
            "upper": st.integers(51, 95),
        }
    ),
    "rate_of_change": st.fixed_dictionaries(
        {"period": st.integers(1, 6), "threshold": st.sampled_from([0.0, 0.02, 0.1])}
    ),
    "zscore_reversion": st.fixed_dictionaries(
        {"period": st.integers(2, 8), "entry": WIDTH, "exit": st.sampled_from([0.0, 0.2])}
    ),
    "vwap_deviation": st.fixed_dictionaries(
        {"period": st.integers(1, 6), "deviation": st.sampled_from([0.001, 0.01, 0.05])}
    ),
    "volatility_breakout": st.fixed_dictionaries({"period": st.integers(1, 5), "factor": WIDTH}),
    "buy_and_hold": st.just({}),
    "composite": st.fixed_dictionaries(
        {
            "rule": st.sampled_from(["all", "any", "vote"]),
            "parts": st.sampled_from(PARTS),
        }
    ),
}
# A part that gives bare signals is in from its last enter on, however long ago: these cross
CROSSES = {"composite": {"rule": "any", "parts": PARTS[0]}}
# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
each = settings(law, max_examples=15)  # strategies are many
REST = Trade._fields[:-3]  # mae and mfe have their own reading, an instrument is none here
PERCENT = st.integers(-12, 12)
WICK = st.integers(0, 10)


@st.composite
def markets(draw, least: int = 2, most: int = 60) -> Candles:
    """Draw hourly candles with gaps between close and open, prices rounded so that levels tie."""
    moves = draw(st.lists(st.tuples(PERCENT, PERCENT, WICK, WICK), min_size=least, max_size=most))
    rows, last = [], 100.0
    for gap, body, above, below in moves:
        opened = max(1.0, round(last * (1 + gap / 100), 1))
        last = max(1.0, round(opened * (1 + body / 100), 1))
        high = round(max(opened, last) * (1 + above / 100), 1)
        rows.append((opened, high, round(min(opened, last) * (1 - below / 100), 2), last))
    return candles_of(rows, Interval.H1)


@st.composite
def terms(draw) -> dict:
    """Draw costs, size and exits, as `execute` takes them."""
    return {
        "fee": draw(st.sampled_from([0.0, 0.001, 0.1])),
        "slippage": draw(st.sampled_from([0.0, 0.0005, 0.1])),
        "fraction": draw(st.sampled_from([0.5, 0.95, 1.0])),
        "stop_loss": draw(st.sampled_from([None, 0.01, 0.05, 0.5])),
        "take_profit": draw(st.sampled_from([None, 0.01, 0.05, 0.5])),
        "cooldown_bars": draw(st.sampled_from([0, 1, 3])),
        "protect_from": draw(st.sampled_from(["entry", "next"])),
    }


def bars_of(candles: Candles):
    return st.sets(st.integers(0, len(candles) - 1))


def run_of(candles: Candles, strategy: str, params: dict, asked: dict, warmup: int = 0) -> Run:
    exits = dict(asked)
    fee, slippage, fraction = (exits.pop(name) for name in ("fee", "slippage", "fraction"))
    return Run(
        "0" * 64,
        "binance:BTCUSDT",
        candles.interval,
        from_ms(int(candles.opened_ms[warmup])),
        from_ms(candles.interval.end_ms(int(candles.opened_ms[-1]))),
        strategy,
        params,
        warmup,
        costs=Costs(fee=fee, slippage=slippage),
        sizing=FractionSizing(fraction=fraction),
        exits=Exits(**exits),
    )


def walk(count: int, seed: int) -> Candles:
    """Return hourly candles of a random walk."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opened = close * np.exp(random.normal(0, 0.002, count))
    high = np.maximum(opened, close) * np.exp(random.exponential(0.004, count))
    low = np.minimum(opened, close) * np.exp(-random.exponential(0.004, count))
    times = MONDAY_MS + 3_600_000 * np.arange(count)
    return Candles(Interval.H1, times, opened, high, low, close, random.exponential(1.0, count))


def first(candles: Candles, count: int) -> Candles:
    return replace(candles, **{name: getattr(candles, name)[:count] for name in COLUMNS})


@settings(law, max_examples=150)
@given(st.data())
def test_the_kernel_is_the_contract_read_candle_by_candle(data) -> None:
    candles, asked = data.draw(markets()), data.draw(terms())
    enter, exit = data.draw(bars_of(candles)), data.draw(bars_of(candles))
    warmup = data.draw(st.integers(0, len(candles) - 1))

    found = execute(candles, sorted(enter), sorted(exit), warmup=warmup, **asked)

    account = walk_plainly(replace(candles, start_bar=warmup), Decisions(enter, exit), found.run)
    opened = [from_ms(int(ms)) for ms in candles.opened_ms]
    trades = [(opened[entry], opened[leave], *rest) for entry, leave, *rest in account.trades]
    assert [trade[: len(REST)] for trade in found.curve.trades] == trades
    assert found.curve.equity.tolist() == account.equity
    assert found.metrics.ambiguous_bars == account.ambiguous
    assert found.metrics.fees_paid == account.fees
    assert found.metrics.slippage_paid == account.slipped
    assert found.metrics.open_trades == (account.position is not None)
    assert found.metrics.exposure_time == account.exposed / len(account.equity)


@settings(law, max_examples=50)
@given(st.data())
def test_equity_adds_up_on_every_candle(data) -> None:
    """Cash is what closed trades left; in a trade it lacks what the entry cost."""
    candles, asked = data.draw(markets()), data.draw(terms())
    enter, exit = data.draw(bars_of(candles)), data.draw(bars_of(candles))

    found = execute(candles, sorted(enter), sorted(exit), **asked)

    equity, cash, flat_from = found.curve.equity, 1_000.0, 0
    bar_of = {from_ms(int(ms)): bar for bar, ms in enumerate(candles.opened_ms)}
    for trade in found.curve.trades:
        entry, leave = bar_of[trade.entry_at], bar_of[trade.exit_at]
        left = cash - trade.size * trade.entry_price * (1 + asked["fee"])
        held = left + trade.size * candles.close[entry:leave]
        assert equity[flat_from:entry] == pytest.approx(cash, rel=1e-12)
        assert equity[entry:leave] == pytest.approx(held, rel=1e-12)
        cash, flat_from = cash + trade.profit, leave
        assert equity[leave] == pytest.approx(cash, rel=1e-12)
    if not found.metrics.open_trades:
        assert equity[flat_from:] == pytest.approx(cash, rel=1e-12)
    assert found.metrics.final_equity == equity[-1]
    assert np.isfinite(equity).all()


def test_the_laws_know_every_registered_strategy() -> None:
    assert PARAMS.keys() == CATALOGUE.keys()


@pytest.mark.parametrize("name", CATALOGUE)
@each
@given(data=st.data())
def test_a_prefix_of_the_candles_gives_a_prefix_of_equity_and_trades(name: str, data) -> None:
    """A strategy that looked ahead would see other candles when they are cut short."""
    candles, asked = data.draw(markets(least=20)), data.draw(terms())
    params, warmup = data.draw(PARAMS[name]), data.draw(st.integers(0, 10))
    cut = first(candles, data.draw(st.integers(warmup + 1, len(candles))))

    (whole,) = run_all(candles, [run_of(candles, name, params, asked, warmup)], with_curve=True)
    (part,) = run_all(cut, [run_of(cut, name, params, asked, warmup)], with_curve=True)

    count = len(part.curve.equity)
    assert part.curve.equity.tolist() == whole.curve.equity[:count].tolist()
    assert part.curve.trades == whole.curve.trades[: len(part.curve.trades)]
    missing = whole.curve.trades[len(part.curve.trades) :]
    last_at = from_ms(int(cut.opened_ms[-1]))
    assert all(trade.exit_at > last_at for trade in missing)


@pytest.mark.parametrize("name", CATALOGUE)
@each
@given(data=st.data())
def test_signals_on_a_prefix_are_a_prefix_of_the_signals(name: str, data) -> None:
    candles, strategy = data.draw(markets(least=20)), CATALOGUE[name]
    params = strategy.params.model_validate(data.draw(PARAMS[name]))
    cut = first(candles, data.draw(st.integers(1, len(candles))))

    whole = strategy.signals(candles, params, Indicators(candles)).signals().mirrored()
    part = strategy.signals(cut, params, Indicators(cut)).signals().mirrored()

    for mine, of_all in zip(part, whole, strict=True):
        assert mine.tolist() == of_all[: len(cut)].tolist()


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("seed", [1, 2])
def test_history_before_the_warmup_changes_no_signal(name: str, seed: int) -> None:
    """Prices have many digits here, so that no two values tie within rounding."""
    strategy = CATALOGUE[name]
    params = strategy.params.model_validate(CROSSES.get(name, {}))
    warmup = strategy.warmup(params)
    candles = walk(warmup + 1_500, seed)
    later = replace(candles, **{column: getattr(candles, column)[600:] for column in COLUMNS})

    long = strategy.signals(candles, params, Indicators(candles)).signals().mirrored()
    short = strategy.signals(later, params, Indicators(later)).signals().mirrored()

    for mine, of_all in zip(short, long, strict=True):
        assert mine[warmup:].tolist() == of_all[600 + warmup :].tolist()
    assert name == "buy_and_hold" or min(signal[warmup:].sum() for signal in short) > 0


@law
@given(st.data())
def test_a_grid_gives_what_its_runs_give_alone_and_again(data) -> None:
    """Shared candles, indicators and buffers must not show in any bit of a result."""
    candles, runs = data.draw(markets(least=20)), []
    for name in data.draw(st.lists(st.sampled_from(sorted(CATALOGUE)), min_size=2, max_size=6)):
        params, asked = data.draw(PARAMS[name]), data.draw(terms())
        runs.append(run_of(candles, name, params, asked, data.draw(st.integers(0, 10))))

    grid = [repr(outcome.metrics) for outcome in run_all(candles, runs)]

    assert grid == [repr(outcome.metrics) for outcome in run_all(candles, runs)]
    assert grid == [repr(o.metrics) for o in run_all(candles, runs, with_curve=True)]
    assert grid == [repr(next(run_all(candles, [run])).metrics) for run in runs]


@law
@given(st.data())
def test_what_lies_before_the_warmup_and_after_the_end_changes_nothing(data) -> None:
    candles = data.draw(markets(least=30))
    name = data.draw(st.sampled_from(sorted(CATALOGUE)))
    inner = candles.span(MONDAY_MS + 5 * 3_600_000, int(candles.opened_ms[-5]), 0)
    run = run_of(inner, name, data.draw(PARAMS[name]), data.draw(terms()), warmup=8)

    (alone,) = run_all(inner, [run])
    (within,) = run_all(candles, [run])

    assert alone.status is Status.SUCCEEDED
    assert repr(alone.metrics) == repr(within.metrics)
