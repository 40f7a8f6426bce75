"""The benchmarks' scenes for Mela's engine, written as a user would, and their timing."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtests.candles.prepared import PreparedCache
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.errors import MelaError
from mela.grid import plan_runs
from mela.interval import MINUTE_MS
from mela.result import Outcome
from mela.run import Run, from_ms, instant_text
from mela.scene import parse_scene

# Much cash, as one of the peers buys whole units only.
CASH, FEE, FRACTION = 1e9, 0.001, 0.95
TERMS = {"cash": CASH, "fee": FEE, "fraction": FRACTION}


def runs_of(
    candles: Candles,
    strategy: str = "sma_cross",
    params: Mapping[str, Any] | None = None,
    space: Mapping[str, Any] | None = None,
    exits: Mapping[str, Any] | None = None,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> list[Run]:
    """Return the runs of a scene over all candles: long only, fee 0.1 %, no slippage."""
    scene = parse_scene(
        {
            "instruments": ["binance:BTCUSDT"],
            "interval": str(candles.interval),
            "start": instant_text(from_ms(int(candles.opened_ms[0]))),
            "end": instant_text(from_ms(int(candles.opened_ms[-1]) + MINUTE_MS)),
            "strategy": {"name": strategy, "params": dict(params or {})},
            "cash": CASH,
            "costs": {"fee": FEE, "slippage": 0.0},
            "sizing": {"fraction": FRACTION},
            **({"search": {"kind": "grid", "space": dict(space)}} if space else {}),
            **({"exits": dict(exits)} if exits else {}),
        }
    )
    return list(plan_runs(scene, catalogue, max_runs=1_000_000).expand())


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Seconds, and the results computed in them."""

    seconds: float
    outcomes: list[Outcome]


def timed(
    candles: Candles,
    runs: Sequence[Run],
    *,
    with_curve: bool = False,
    spans: PreparedCache | None = None,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> Timed:
    """Run through the engine's public entry. Raises MelaError for a run that fails.

    spans: validated and prepared before; without them, that is timed too
    """
    started = time.perf_counter()
    outcomes = list(run_all(candles, runs, with_curve=with_curve, catalogue=catalogue, spans=spans))
    seconds = time.perf_counter() - started
    for outcome in outcomes:
        if outcome.metrics is None:
            raise MelaError(f"a measured run must succeed, but {outcome.status}: {outcome.error}")
    return Timed(seconds, outcomes)


def prepared(candles: Candles, runs: Sequence[Run]) -> PreparedCache:
    """Return the validated and prepared spans of these runs."""
    spans = PreparedCache(candles)
    for run in runs:
        spans.of(run)
    return spans


def caught(outcome: Outcome) -> float:
    """Return the sum of the log price moves between the entries and exits of closed trades."""
    assert outcome.curve is not None
    return sum(math.log(trade.exit_price / trade.entry_price) for trade in outcome.curve.trades)


def final_equity(outcome: Outcome) -> float:
    """Return the last equity."""
    assert outcome.metrics is not None
    return outcome.metrics.final_equity


def trades(outcome: Outcome) -> int:
    """Return the number of closed trades."""
    assert outcome.metrics is not None
    return outcome.metrics.trades
