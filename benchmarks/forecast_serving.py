"""How long a model takes to answer: a batch, a live candle, a scene of thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from benchmarks.candles import minute_candles
from benchmarks.rows import Row, row
from forecasts.artifact import Model
from forecasts.signals import signals_of
from forecasts.strategy import strategies_of
from forecasts.train import train
from mela.candles import Candles
from mela.instants import from_ms
from mela.run import Run
from mela.training import ModelChoice, Training, parse_training

NAME = "bench:OWN"
BATCH, CALLS, ROUNDS = 32, 400, 5
CANDLES, VARIANTS = 50_000, 100
KINDS = ("ridge", "random_forest", "xgboost", "lightgbm")
FEATURES = [
    *({"name": "returns", "params": {"span": span}} for span in (1, 4, 12, 24, 48)),
    *({"name": name} for name in ("zscore", "volatility", "rsi", "slope", "efficiency")),
    *({"name": name} for name in ("volume_zscore", "hour_sin", "hour_cos", "true_range")),
]


def serving() -> list[Row]:
    """Measure the rows of serving, one thread each."""
    candles = minute_candles(CANDLES)
    models = {kind: _model(kind, candles) for kind in KINDS}
    batches = [_batch(kind, model) for kind, model in models.items()]
    return [*batches, _live(models["lightgbm"], candles), _grid(models["lightgbm"], candles)]


def _model(kind: str, candles: Candles) -> Model:
    half = candles.opened_ms[len(candles) // 2]
    asked: Training = parse_training(
        {
            "name": "bench",
            "instruments": [NAME],
            "interval": "1m",
            "start": from_ms(int(candles.opened_ms[0])).isoformat(),
            "end": from_ms(int(half)).isoformat(),
            "features": FEATURES,
            "splits": {"kind": "walk_forward", "folds": 2},
            "model": ModelChoice(name=kind).model_dump(),
        }
    )
    done = train(asked, {NAME: candles}, revisions={})
    return Model(done.content, done.sha)


def _batch(kind: str, model: Model) -> Row:
    x = np.random.default_rng(1).standard_normal((BATCH, len(FEATURES)))
    places = np.zeros(BATCH, np.int64)
    return row(
        f"forecasts.predict_{kind}",
        [_p95(lambda: model.ask(x, places)) for _ in range(ROUNDS)],
        "ms",
        "lower",
        minimum=0.5,
        note=f"a batch of {BATCH}, one thread, defaults, p95 of processor time of {CALLS} calls",
    )


def _live(model: Model, candles: Candles) -> Row:
    last = candles.span(int(candles.opened_ms[-2_000]), int(candles.opened_ms[-1]) + 1, 0)

    def candle() -> None:
        x = model.features.latest(last, NAME)
        signals_of(model.predict(x[None, :], NAME), 0.0, 0.0)

    return row(
        "forecasts.candle_to_signal",
        [_p95(candle) for _ in range(ROUNDS)],
        "ms",
        "lower",
        minimum=5.0,
        note=f"{len(FEATURES)} features, LightGBM, p95 of processor time of {CALLS} candles",
    )


def _grid(model: Model, candles: Candles) -> Row:
    """Compare a scene of thresholds, its one prediction included, with as many moving averages."""
    asked = [
        ("forecast", {"enter": float(enter), "leave": 0.0})
        for enter in np.linspace(0.0, 0.001, VARIANTS)
    ]
    means = [("sma_cross", {"fast": 5 + i, "slow": 120 + i}) for i in range(VARIANTS)]

    def seconds(questions: Sequence[tuple[str, Mapping[str, float]]]) -> float:
        begin, end = (from_ms(int(candles.opened_ms[bar])) for bar in (512, -1))
        runs = [
            Run("", NAME, candles.interval, begin, end, name, params, 256)
            for name, params in questions
        ]
        known = {**CATALOGUE, **strategies_of(model)}  # anew, so that nothing is predicted yet
        started = time.process_time()
        for _ in run_all(candles, runs, catalogue=known):
            pass
        return time.process_time() - started

    for questions in (asked, means):  # compile
        seconds(questions)
    ratios = [seconds(asked) / seconds(means) for _ in range(ROUNDS)]
    return row(
        "forecasts.grid",
        ratios,
        "× sma_cross",
        "lower",
        minimum=2.0,
        note=f"{VARIANTS} thresholds on {CANDLES:,} candles, features and prediction included",
    )


def _p95(work: Callable[[], object]) -> float:
    """Return the 95th percentile of the processor time of a call, in milliseconds."""
    for _ in range(20):
        work()
    times = np.empty(CALLS)
    for place in range(CALLS):
        started = time.process_time_ns()
        work()
        times[place] = time.process_time_ns() - started
    return float(np.quantile(times, 0.95)) / 1e6
