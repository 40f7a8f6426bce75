"""The engine against its peers: first check that the trades agree, then compare times.

The measured part of Mela starts with candles in memory and uses the public entry: validation of the
candles, indicators, the run, metrics, trades and equity. Runs are planned from their scene before,
just as a peer receives its parameters.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from rich.console import Console

from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from benchmarks.candles import read
from benchmarks.pairs import Pair, duration, faster, pairs
from benchmarks.peer import Peer
from benchmarks.rows import Row
from benchmarks.same import check_same
from benchmarks.scenes import (
    CASH,
    TERMS,
    caught,
    final_equity,
    prepared,
    runs_of,
    timed,
    trades,
)
from mela.candles import Candles
from mela.run import Costs, Part

FASTS, SLOWS = list(range(5, 25)), list(range(26, 66, 4))
GRID = {"strategy.params.fast": FASTS, "strategy.params.slow": SLOWS}
PAIRS = [(fast, slow) for fast in FASTS for slow in SLOWS]
CROSS = {"fast": 10, "slow": 30}
ENGINE = {"engine": "auto"}  # vectorbt's compiled Rust where it can, Numba elsewhere


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Candles, and the folder from which peers read the same candles."""

    folder: Path
    candles: Candles

    @classmethod
    def of(cls, folder: Path) -> Measured:
        """Return the candles of a folder."""
        return cls(folder, read(folder))


def against_backtrader(many: Measured, few: Measured, console: Console) -> list[Row]:
    """Measure one run on 500k candles. Backtrader is so slow that it runs only once."""
    console.print("bench engine: backtrader …")
    run = runs_of(many.candles, params=CROSS)
    with Peer("backtrader") as peer:
        peer.ask("cross", folder=few.folder, **TERMS, **CROSS)  # warm
        answer: dict[str, Any] = {}

        def theirs() -> float:
            answer.update(peer.ask("cross", folder=many.folder, **TERMS, **CROSS))
            return float(answer["seconds"])

        measured = pairs(
            lambda: timed(many.candles, run, with_curve=True).seconds, theirs, repeats=1, tries=7
        )
    note = _agree(many.candles, answer, "backtrader")
    ratios = [Pair(ours, measured[0].theirs) for ours in _spread(many.candles, run)]
    return [
        faster(
            "engine.backtrader_500k",
            [*measured, *ratios],
            "backtrader",
            minimum=3_000,
            aim=10_000,
            note=f"asked once, Mela's runs make the spread; {note}; it sizes on the signal's close",
        )
    ]


def _spread(candles: Candles, run: Any) -> list[float]:
    return [timed(candles, run, with_curve=True).seconds for _ in range(4)]


# a strategy that trades 25,000 times would have nothing left at 0.1 %, and a peer then stops
SMALL_FEE = 1e-5


def against_vectorbt(many: Measured, few: Measured, console: Console) -> list[Row]:
    """Compare one run, a grid, and the signals of every strategy that has some, with vectorbt."""
    console.print("bench engine: vectorbt …")
    with Peer("vectorbt") as peer:
        return [
            _cross(peer, many),
            _grid(peer, few),
            _execution(peer, many),
        ]


def _cross(peer: Peer, many: Measured) -> Row:
    run = runs_of(many.candles, params=CROSS)
    terms = {"folder": many.folder, **TERMS, **CROSS, **ENGINE}
    answer = peer.ask("cross", stats=False, **terms)  # warm
    note = _agree(many.candles, answer, "vectorbt")
    measured = pairs(
        lambda: timed(many.candles, run, with_curve=True).seconds,
        lambda: peer.ask("cross", stats=False, **terms)["seconds"],
        repeats=9,
    )
    peer.ask("cross", stats=True, **terms)  # warm
    whole = statistics.median(peer.ask("cross", stats=True, **terms)["seconds"] for _ in range(3))
    ready = statistics.median(
        timed(many.candles, run, with_curve=True, spans=prepared(many.candles, run)).seconds
        for _ in range(5)
    )
    return faster(
        "engine.vectorbt_500k",
        measured,
        "vectorbt",
        minimum=10,
        aim=25,
        note=f"its own metric calls; with stats() {duration(whole)}; Mela on candles already "
        f"checked {duration(ready)}; {note}",
    )


def _grid(peer: Peer, few: Measured) -> Row:
    runs = runs_of(few.candles, space=GRID)
    terms = {"folder": few.folder, "pairs": PAIRS, **TERMS, **ENGINE}
    answer = peer.ask("grid", **terms)  # warm
    outcomes = timed(few.candles, runs).outcomes
    check_same("trades of a grid", [trades(o) for o in outcomes], answer["trades"], absolute=1)
    apart = check_same(
        "final equity of a grid",
        [math.log(final_equity(o) / CASH) for o in outcomes],
        [math.log(value / CASH) for value in answer["final_equity"]],
        absolute=0.01,
    )
    simulated: list[float] = []

    def theirs() -> float:
        answer = peer.ask("grid", **terms)
        simulated.append(answer["simulated"])
        return answer["seconds"]

    measured = pairs(lambda: timed(few.candles, runs).seconds, theirs, repeats=5, tries=9)
    least = duration(statistics.median(simulated))
    return faster(
        "engine.grid_vectorbt",
        measured,
        "vectorbt",
        minimum=50,
        aim=100,
        note=f"{len(runs)} runs on {len(few.candles):,} candles, metrics, one thread; vectorbt "
        f"in one call by broadcasting, without Sharpe and the like {least}; final "
        f"equities within {apart:.1e} (logarithm)",
    )


def _execution(peer: Peer, many: Measured) -> Row:
    """Return the row of the strategy for which Mela's lead is smallest."""
    measured: dict[str, list[Pair]] = {}
    alone: dict[str, float] = {}
    for name, signals in _given(many.candles).items():
        run, catalogue = _giving(many.candles, signals)
        files = {"enter": many.folder / "enter.npy", "exit": many.folder / "exit.npy"}
        np.save(files["enter"], signals.enter)
        np.save(files["exit"], signals.exit)
        terms = {"folder": many.folder, **files, **TERMS, **ENGINE, "fee": SMALL_FEE}
        spans = prepared(many.candles, run)

        def ours(run: Any = run, catalogue: Any = catalogue, spans: Any = spans) -> float:
            return timed(
                many.candles, run, with_curve=True, spans=spans, catalogue=catalogue
            ).seconds

        answer = peer.ask("execute", **terms)  # warm
        outcome = timed(
            many.candles, run, with_curve=True, spans=spans, catalogue=catalogue
        ).outcomes[0]
        check_same(f"trades of {name}", [trades(outcome)], [answer["trades"]])
        check_same(f"moves of {name}", [caught(outcome)], [answer["gain"]], absolute=1e-6)
        simulated: list[float] = []

        def theirs(terms: Any = terms, simulated: list[float] = simulated) -> float:
            answer = peer.ask("execute", **terms)
            simulated.append(answer["simulated"])
            return answer["seconds"]

        measured[name] = pairs(ours, theirs, repeats=11, tries=7)
        alone[name] = statistics.median(simulated)
    ahead = {
        name: statistics.median(p.theirs / p.ours for p in of) for name, of in measured.items()
    }
    least = min(ahead, key=lambda name: ahead[name])
    each = ", ".join(f"{name} {ratio:.1f}" for name, ratio in sorted(ahead.items()))
    return faster(
        "engine.execution_vectorbt",
        measured[least],
        "vectorbt",
        minimum=10,
        aim=20,
        note=f"signals to trades and equity, for Mela metrics too; the least of: {each}; "
        f"vectorbt's simulation alone {duration(alone[least])}",
    )


def _given(candles: Candles) -> dict[str, Signals]:
    """Return the signals of each registered strategy that gives arrays and needs no parameter.

    Entry signals on a candle that also has an exit signal are dropped: the engines treat them
    differently.
    """
    given: dict[str, Signals] = {}
    for name, strategy in CATALOGUE.items():
        try:
            params = strategy.params.model_validate({})
        except ValidationError:
            continue
        signals = strategy.signals(candles, params, Indicators(candles))
        if isinstance(signals, Signals):
            given[name] = Signals(signals.enter & ~signals.exit, signals.exit)
    return given


def _giving(candles: Candles, signals: Signals) -> tuple[Any, Mapping[str, Strategy]]:
    """Return a run of a strategy with these signals, and the catalogue that contains it."""
    strategy = replace(
        CATALOGUE["sma_cross"],
        name="given",
        params=Part,
        signals=lambda _candles, _params, _indicators: signals,
        candles_needed=lambda _params: 0,
    )
    catalogue = {"given": strategy}
    runs = runs_of(candles, "given", catalogue=catalogue)
    return [replace(run, costs=Costs(fee=SMALL_FEE, slippage=0.0)) for run in runs], catalogue


def against_backtesting(few: Measured, console: Console) -> list[Row]:
    """Compare a grid with backtesting.py's own optimize. It takes a minute, so it runs once."""
    console.print("bench engine: backtesting.py …")
    runs = runs_of(few.candles, space=GRID)
    answer: dict[str, Any] = {}
    with Peer("backtesting") as peer:
        terms = {"folder": few.folder, **TERMS}
        peer.ask("grid", fasts=FASTS[:1], slows=SLOWS[:2], **terms)  # warm

        def theirs() -> float:
            answer.update(peer.ask("grid", fasts=FASTS, slows=SLOWS, **terms))
            return float(answer["seconds"])

        once = pairs(lambda: timed(few.candles, runs).seconds, theirs, repeats=1, tries=9)
    again = [timed(few.candles, runs) for _ in range(4)]
    apart = check_same(
        "final equity of a grid",
        [math.log(final_equity(o) / CASH) for o in again[-1].outcomes],
        [math.log(value / CASH) for value in answer["final_equity"]],
        absolute=0.01,
    )
    return [
        faster(
            "engine.grid_backtesting",
            [*once, *(Pair(each.seconds, once[0].theirs) for each in again)],
            "backtesting.py",
            minimum=1_000,
            aim=2_000,
            note=f"the same grid by its optimize in one process, asked once; it buys whole units: "
            f"final equities within {apart:.1e} (logarithm)",
        )
    ]


def _agree(candles: Candles, answer: Mapping[str, Any], peer: str) -> str:
    """Check one crossover against a peer's answer; return how far apart they are."""
    outcome = timed(candles, runs_of(candles, params=CROSS), with_curve=True).outcomes[0]
    check_same(f"trades of {peer}", [trades(outcome)], [answer["trades"]], relative=0.001)
    moves = check_same(f"moves of {peer}", [caught(outcome)], [answer["gain"]], absolute=0.01)
    equity = check_same(
        f"final equity of {peer}",
        [math.log(final_equity(outcome) / CASH)],
        [math.log(answer["final_equity"] / CASH)],
        relative=0.005,
    )
    return (
        f"{trades(outcome):,} trades in Mela and {answer['trades']:,} there, the price moves that "
        f"they caught within {moves:.1e}, final equities within {equity:.1e} (logarithms)"
    )
