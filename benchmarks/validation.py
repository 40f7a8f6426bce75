"""The error rates of the deflated Sharpe ratio: searches without an edge, and with a planted one.

Every search runs real strategies through the engine on its own seeded candles, without costs, which
would turn luck into losses and make the test easier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from backtests.simulate import run_all
from backtests.statistics.blocks import blocks_of
from backtests.statistics.search_statistics import CERTAIN
from backtests.statistics.sharpe import deflated_sharpe, moments, probabilistic_sharpe
from backtests.statistics.trials import effective_trials
from benchmarks.rows import Row, row
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.run import Costs, Run, from_ms

Float = NDArray[np.float64]
Market = Callable[[np.random.Generator, int], Candles]
WARMUP, DAYS = 256, 1_095
DEVIATION = 0.02  # of a day's logarithmic return
SWITCH = 0.01  # chance that a trend turns, each day
SEARCHES, POWER_SEARCHES = 1_000, 150
LONG_PATHS, LONG_DAYS = 40, 5_000
MOST_CERTIFIED = 0.05
MARKETS = {"calm": "a normal walk", "wild": "a fair game with fat tails and storms"}
# Sharpe ratio of the best variant in the long run → a trend's drift a day, in deviations
PLANTED = {1: 0.15, 2: 0.245, 3: 0.329}


def measure(console: Console) -> list[Row]:
    """Run 1,000 searches without an edge in two markets, and 150 for each planted Sharpe ratio."""
    rows: list[Row] = []
    for name, market in {"calm": trending, "wild": wild}.items():
        with console.status(f"validation: 1,000 searches without an edge in a {name} market"):
            verdicts = searched(SEARCHES, market, seed=0)
        certified, alone = verdicts[:, 0] > CERTAIN, verdicts[:, 1] > CERTAIN
        note = (
            f"{certified.sum()} of {SEARCHES} searches of {len(variants(DAYS))} variants on "
            f"{DAYS} days of {MARKETS[name]}; their winners alone, not deflated: {alone.mean():.1%}"
        )
        rows.append(
            row(
                f"validation.certified_without_edge_{name}",
                [float(certified.mean())],
                "share",
                "lower",
                minimum=MOST_CERTIFIED,
                note=note,
            )
        )
    for planted, drift in PLANTED.items():
        with console.status(f"validation: searches where a Sharpe ratio of {planted} is planted"):
            verdicts = searched(POWER_SEARCHES, partial(trending, drift=drift), seed=planted)
            true = true_sharpe(drift, seed=1_000 + planted)
        found = float((verdicts[:, 0] > CERTAIN).mean())
        note = (
            f"share certified of {POWER_SEARCHES} searches on {DAYS} days; trends of ±{drift:g} "
            f"deviations a day, in which the best variant has {true:.2f} over "
            f"{LONG_PATHS * LONG_DAYS:,} other days"
        )
        rows.append(
            row(f"validation.power_at_sharpe_{planted}", [found], "share", "higher", note=note)
        )
    return rows


def searched(searches: int, market: Market, seed: int) -> Float:
    """Return (deflated, probabilistic) Sharpe ratios of each search's winner: (searches, 2).

    market: (generator, days) → candles, different ones for each search
    """
    rng = np.random.default_rng(seed)
    runs = variants(DAYS)
    found = np.zeros((searches, 2))
    for search in range(searches):
        returns = trial_returns(market(rng, DAYS), runs)
        blocks = blocks_of(returns)
        sharpes = blocks.sharpes()
        if np.isfinite(sharpes).any():
            winner = moments(returns[int(np.nanargmax(sharpes))])
            effective = effective_trials(blocks, seed=search)
            found[search] = (
                deflated_sharpe(winner, effective.n_effective, effective.variance_by_luck),
                probabilistic_sharpe(winner),
            )
    return found


def true_sharpe(drift: float, seed: int, paths: int = LONG_PATHS) -> float:
    """Return the annual Sharpe ratio of the best variant over `paths` × 5,000 separate days."""
    rng = np.random.default_rng(seed)
    runs = variants(LONG_DAYS)
    parts = [trial_returns(trending(rng, LONG_DAYS, drift), runs) for _ in range(paths)]
    returns = np.concatenate(parts, axis=1)
    return float((returns.mean(axis=1) / returns.std(axis=1)).max() * math.sqrt(365.0))


def trending(rng: np.random.Generator, days: int, drift: float = 0.0) -> Candles:
    """Return daily candles of a walk whose drift turns at random; without drift a fair game.

    drift: the drift of a day's log return, in deviations, alternately up and down
    """
    n = WARMUP + days
    trend = np.where(np.cumsum(rng.random(n) < SWITCH) % 2 == 0, 1.0, -1.0)
    moves = DEVIATION * (rng.standard_normal(n) + drift * trend) - DEVIATION**2 / 2.0
    return _candles(100.0 * np.exp(np.cumsum(moves)))


def wild(rng: np.random.Generator, days: int) -> Candles:
    """Return daily candles of a fair game with fat tails and alternating calm and wild weeks."""
    n = WARMUP + days
    storm = np.empty(n)
    level = 0.0
    for day, shock in enumerate(rng.standard_normal(n)):
        level = 0.97 * level + 0.15 * shock
        storm[day] = level
    moves = DEVIATION * np.exp(storm) * rng.standard_t(4, n) / math.sqrt(2.0)
    return _candles(100.0 * np.exp(np.cumsum(np.log1p(np.clip(moves, -0.5, 0.5)))))


def _candles(close: Float) -> Candles:
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    opened_ms = np.arange(len(close), dtype=np.int64) * DAY_MS
    return Candles(Interval.D1, opened_ms, open_, high, low, close, np.ones(len(close)))


def variants(days: int) -> list[Run]:
    """Return the runs of one search: 20 of sma_cross and 10 of rsi_reversion."""
    params = [
        ("sma_cross", {"fast": fast, "slow": slow})
        for fast in (5, 10, 15, 20, 25)
        for slow in (30, 50, 80, 120)
    ] + [
        ("rsi_reversion", {"period": period, "lower": lower, "upper": 100 - lower})
        for period in (7, 10)
        for lower in (20, 25, 30, 35, 40)
    ]
    start, end = from_ms(WARMUP * DAY_MS), from_ms((WARMUP + days) * DAY_MS)
    free = Costs(fee=0.0, slippage=0.0)
    return [
        Run("", "binance:BTCUSDT", Interval.D1, start, end, name, given, WARMUP, costs=free)
        for name, given in params
    ]


def trial_returns(candles: Candles, runs: Sequence[Run]) -> Float:
    """Return the daily returns of runs: (runs, days)."""
    found: list[Float] = []
    for outcome in run_all(candles, runs, with_curve=True):
        if outcome.curve is None:
            raise RuntimeError(f"a run must succeed, but it gives {outcome.error}")
        equity = np.concatenate([[outcome.run.cash], outcome.curve.equity])
        found.append(equity[1:] / equity[:-1] - 1.0)
    return np.array(found)
