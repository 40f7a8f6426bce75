"""What the deflated Sharpe ratio certifies: searches without an edge, and with a planted one.

Every search runs real strategies through the engine on seeded candles of its own, without costs:
they would turn luck into losses and make the test easier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from backtests.simulate import run_all
from backtests.statistics.blocks import blocks_of
from backtests.statistics.sharpe import deflated_sharpe, moments, probabilistic_sharpe
from backtests.statistics.trials import effective_trials
from backtests.statistics.verdict import CERTAIN
from benchmarks.rows import Row, row
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.run import Costs, Run, from_ms

Float = NDArray[np.float64]
WARMUP, DAYS = 256, 1_095
DEVIATION = 0.02  # of a day's logarithmic return
SWITCH = 0.01  # chance that a trend turns, each day
SEARCHES, POWER_SEARCHES = 1_000, 150
LONG_PATHS, LONG_DAYS = 40, 5_000
MOST_CERTIFIED = 0.05
# Sharpe ratio of the best variant in the long run → a trend's drift a day, in deviations
PLANTED = {1: 0.0, 2: 0.0, 3: 0.0}


def measure(console: Console) -> list[Row]:
    """Run 1,000 searches without an edge, and 150 for each planted Sharpe ratio."""
    with console.status("validation: 1,000 searches without an edge"):
        verdicts = searched(SEARCHES, drift=0.0, seed=0)
    certified, alone = verdicts[:, 0] > CERTAIN, verdicts[:, 1] > CERTAIN
    rows = [
        row(
            "validation.certified_without_edge",
            [float(certified.mean())],
            "share",
            "lower",
            minimum=MOST_CERTIFIED,
            note=f"{certified.sum()} of {SEARCHES} searches of {len(variants(DAYS))} variants on "
            f"{DAYS} days of a random walk; its winner alone, not deflated: {alone.mean():.1%}",
        )
    ]
    for planted, drift in PLANTED.items():
        with console.status(f"validation: searches where a Sharpe ratio of {planted} is planted"):
            verdicts = searched(POWER_SEARCHES, drift=drift, seed=planted)
            true = true_sharpe(drift, seed=1_000 + planted)
        found = float((verdicts[:, 0] > CERTAIN).mean())
        note = (
            f"share certified of {POWER_SEARCHES} searches on {DAYS} days; trends of ±{drift:g} "
            f"deviations a day; the best variant in {LONG_PATHS * LONG_DAYS:,} other days: {true:.2f}"
        )
        rows.append(
            row(f"validation.power_at_sharpe_{planted}", [found], "share", "higher", note=note)
        )
    return rows


def searched(searches: int, drift: float, seed: int) -> Float:
    """Return (deflated, probabilistic) Sharpe ratios of each search's winner: (searches, 2)."""
    rng = np.random.default_rng(seed)
    runs = variants(DAYS)
    found = np.zeros((searches, 2))
    for search in range(searches):
        returns = trial_returns(trending(rng, DAYS, drift), runs)
        blocks = blocks_of(returns)
        sharpes = blocks.sharpes()
        if np.isfinite(sharpes).any():
            winner = moments(returns[int(np.nanargmax(sharpes))])
            effective = effective_trials(blocks, seed=search)
            found[search] = (
                deflated_sharpe(winner, effective.n_effective, effective.variance),
                probabilistic_sharpe(winner),
            )
    return found


def true_sharpe(drift: float, seed: int) -> float:
    """Return the annual Sharpe ratio that the best variant has over many candles of its own."""
    rng = np.random.default_rng(seed)
    runs = variants(LONG_DAYS)
    parts = [trial_returns(trending(rng, LONG_DAYS, drift), runs) for _ in range(LONG_PATHS)]
    returns = np.concatenate(parts, axis=1)
    return float((returns.mean(axis=1) / returns.std(axis=1)).max() * math.sqrt(365.0))


def trending(rng: np.random.Generator, days: int, drift: float) -> Candles:
    """Return daily candles of a walk whose drift turns at random; without drift a martingale.

    drift: of a day's logarithmic return, in deviations, up and down in turn
    """
    n = WARMUP + days
    trend = np.where(np.cumsum(rng.random(n) < SWITCH) % 2 == 0, 1.0, -1.0)
    moves = DEVIATION * (rng.standard_normal(n) + drift * trend) - DEVIATION**2 / 2.0
    close = 100.0 * np.exp(np.cumsum(moves))
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    opened_ms = np.arange(n, dtype=np.int64) * DAY_MS
    return Candles(Interval.D1, opened_ms, open_, high, low, close, np.ones(n))


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
