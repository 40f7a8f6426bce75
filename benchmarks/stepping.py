"""What a step costs that is called from Python, for one instrument and for each further one."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.rows import Row, row
from execution.candle_step import Candle, Decision
from execution.stepper import CandleStepper, PortfolioStepper
from execution.terms import PortfolioTerms, Terms

STEPS, REPEATS, SEVERAL = 5_000, 7, 11
HOUR_MS = 3_600_000


def measure(terms: Terms, account: PortfolioTerms) -> list[Row]:
    """Measure both steppers on random candles, with a signal on every fourth close."""
    one = [_seconds(_one(terms)) * 1e6 for _ in range(REPEATS)]
    single = [_seconds(_several(account, 1)) * 1e6 for _ in range(REPEATS)]
    several = [_seconds(_several(account, SEVERAL)) * 1e6 for _ in range(REPEATS)]
    further = [(b - a) / (SEVERAL - 1) for a, b in zip(single, several, strict=True)]
    return [
        row(
            "engine.step",
            one,
            "µs",
            "lower",
            minimum=20,
            note=f"a candle, its decision, the account after it; a portfolio of one takes "
            f"{min(single):.1f} µs",
        ),
        row(
            "engine.step_further_instrument",
            further,
            "µs",
            "lower",
            minimum=2,
            note=f"of {SEVERAL} on one account",
        ),
    ]


def _candles() -> list[Candle]:
    random = np.random.default_rng(1)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, STEPS)))
    opens = np.concatenate([[100.0], closes[:-1]])
    high, low = np.maximum(opens, closes) * 1.005, np.minimum(opens, closes) * 0.995
    times = range(0, STEPS * HOUR_MS, HOUR_MS)
    prices = (opens.tolist(), high.tolist(), low.tolist(), closes.tolist())
    return [
        Candle(opened, opened + HOUR_MS, first, highest, lowest, last, 1_000.0, True)
        for opened, first, highest, lowest, last in zip(times, *prices, strict=True)
    ]


def _decisions() -> list[Decision]:
    nan = float("nan")
    return [
        Decision(bar % 8 == 0, bar % 8 == 4, False, False, 0.0, 1.0, nan, nan)
        for bar in range(STEPS)
    ]


def _one(terms: Terms) -> list[float]:
    """Return the moments before the first step and after the last one."""
    stepper, candles, decisions = CandleStepper(terms, 10_000.0), _candles(), _decisions()
    begun = time.perf_counter()
    for candle, decision in zip(candles, decisions, strict=True):
        stepper.step(candle, decision)
    return [begun, time.perf_counter()]


def _several(terms: PortfolioTerms, k: int) -> list[float]:
    stepper, candles = PortfolioStepper(terms, 10_000.0, [1.0] * k), _candles()
    decisions, weights = _decisions(), [1.0 / k] * k
    begun = time.perf_counter()
    for candle, decision in zip(candles, decisions, strict=True):
        stepper.step(candle.opened_ms, candle.ended_ms, [candle] * k, [decision] * k, weights)
    return [begun, time.perf_counter()]


def _seconds(moments: list[float]) -> float:
    return (moments[1] - moments[0]) / STEPS
