"""What a search has found, judged: its walk-forward, its holdout, how much of its winner is luck.

Pure: candles and documents of results come in, JSON values go out. The platform gives the runs that
it has recorded, `mela backtest` those that it made itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCandles, prepare_candles
from backtests.metrics import ends_of_periods
from backtests.portfolio import account_span, run_series
from backtests.search.out_of_sample import (
    Stretch,
    chained,
    closed_out,
    defined,
    in_equal_shares,
)
from backtests.simulate import run_all
from backtests.statistics.blocks import Blocks
from backtests.statistics.montecarlo import (
    PATHS,
    TradeShuffle,
    resample,
    shuffle_trades,
    trade_returns,
)
from backtests.statistics.robustness import PERMUTATIONS, robustness
from backtests.statistics.search_statistics import judge
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.block_returns import BlockReturns
from mela.candles import Candles
from mela.messages import read_stored_run
from mela.result import LOWER_IS_BETTER, Curve, Outcome, Status, rank
from mela.run import Run, from_ms, instant_text
from mela.scene import Scene, Steps
from mela.windows import Fold

Float = NDArray[np.float64]
Document = Mapping[str, Any]
CandlesOf = Callable[[Run], Candles]
SeriesOf = Callable[[Run], Mapping[str, Candles]]
Catalogue = Mapping[str, Strategy]

WITH_METRICS = frozenset({Status.SUCCEEDED.value, Status.RUINED.value})
MODELS = 500  # best runs that are compared with buy and hold; fewer where candles are many
FEWEST_MODELS = 50
COMPARED = 5_000  # trials whose halves are compared, for pbo
MODEL_CANDLES = 50_000_000  # candles that those may take together
FEWEST_PERMUTATIONS = 20
PERMUTED_CANDLES = 8_000_000
CHANGED = "the candles or the strategy changed after the runs were computed"
OF_SEVERAL = "it is of runs of one instrument, and the winner's account has several"
POINTS = 1_000  # of the out-of-sample equity that a report keeps, at most


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What is known of all that was tried for the question that the winner answers.

    n_trials: runs recorded for the same instruments, overlapping dates and the same strategies: a
        lower bound on what was tried
    sums, squares: (known, 16) of the runs over the winner's own span, the winner among them
    counts: (known, 16) how many returns each block has
    own: (known,) whether this scene asked for it
    top: this scene's best runs of the winner's instrument and span, best first
    """

    n_trials: int
    sums: Float
    squares: Float
    counts: Float
    own: NDArray[np.bool_]
    top: Sequence[Document]


def trials_of(documents: Sequence[Document], winner: Document, top: Sequence[Document]) -> Trials:
    """Return the trials that some results are, all of one scene."""
    span = ("interval", "start", "end")
    same = [
        BlockReturns.unpacked(one["blocks"]).rows
        for one in documents
        if one["blocks"] is not None and all(one[name] == winner[name] for name in span)
    ]
    rows = np.array(same, dtype=np.float64).reshape(len(same), 3, -1)
    tried = sum(one["blocks"] is not None for one in documents)
    sums, squares, counts = rows.swapaxes(0, 1)
    return Trials(tried, sums, squares, counts, np.ones(len(same), dtype=np.bool_), top)


def with_winner(trials: Trials, winner: Document) -> Trials:
    """Return trials with the winner among them, where more were recorded than could be read."""
    if winner["blocks"] is None:
        return trials
    rows = BlockReturns.unpacked(winner["blocks"]).rows
    own = dict(zip(("sums", "squares", "counts"), rows, strict=True))
    if bool(np.any(np.all(trials.sums == own["sums"], axis=1))):
        return trials
    added = {name: np.vstack([getattr(trials, name), row]) for name, row in own.items()}
    return replace(trials, **added, own=np.append(trials.own, True))


def models_for(candles: int) -> int:
    """Return how many runs are compared with buy and hold on so many candles.

    >>> models_for(10_000), models_for(500_000), models_for(10_000_000)
    (500, 100, 50)
    """
    return max(FEWEST_MODELS, min(MODELS, MODEL_CANDLES // max(1, candles)))


def permutations_for(candles: int) -> int:
    """Return how often so many candles are shuffled.

    >>> permutations_for(10_000), permutations_for(100_000), permutations_for(1_000_000)
    (200, 80, 20)
    """
    return max(FEWEST_PERMUTATIONS, min(PERMUTATIONS, PERMUTED_CANDLES // max(1, candles)))


def choice_of(scene: Scene, document: Document) -> dict[str, Any]:
    """Return what a search chose: path → value, or all parameters where it varied none of them."""
    if scene.search is None:
        return {f"strategy.params.{name}": value for name, value in document["params"].items()}
    return {path: _at(document, path) for path in sorted(scene.search.space)}


def walk_forward(
    scene: Scene,
    chosen: Mapping[str, Sequence[Document | None]],
    candles_of: CandlesOf,
    catalogue: Catalogue = CATALOGUE,
) -> dict[str, Any]:
    """Run the best of each training window on its test window; return what that came to.

    chosen: instrument → the best result of each fold, None where none has any metrics
    """
    told: dict[str, Any] = {}
    wholes: list[Stretch] = []
    for instrument, best in chosen.items():
        folds: list[dict[str, Any]] = []
        stretches: list[Stretch] = []
        for fold, document in zip(scene.folds, best, strict=True):
            stretch = None if document is None else _tested(fold, document, candles_of, catalogue)
            folds.append(_fold_document(scene, fold, document, stretch))
            stretches += [] if stretch is None else [stretch]
        whole = chained(stretches, scene.cash)
        wholes.append(whole)
        tested = sum(len(stretch.equity) > 0 for stretch in stretches)
        told[instrument] = {**whole.numbers(), "tested": tested, "folds": folds}
    together = in_equal_shares(wholes, is_intraday=scene.interval.is_intraday)
    return {
        **together.numbers(),
        "folds": len(scene.folds),
        "untested": sum(len(scene.folds) - one["tested"] for one in told.values()),
        "equity": _thinned(together, scene),
        "instruments": told,
    }


def holdout(
    scene: Scene, winner: Document, candles_of: CandlesOf, catalogue: Catalogue = CATALOGUE
) -> dict[str, Any]:
    """Run the winner on the candles that the search did not see; return what that came to."""
    assert scene.holdout is not None  # noqa: S101  the caller asks only then
    run = replace(read_stored_run(winner, catalogue), start=scene.holdout.start, end=scene.end)
    stretch = closed_out(candles_of(run), run, catalogue)
    return {
        "start": instant_text(scene.holdout.start),
        "end": instant_text(scene.end),
        "instrument": run.instrument,
        "run_key": winner["run_key"],
        "status": stretch.status.value,
        "error": stretch.error,
        **stretch.numbers(),
    }


def judged(
    scene: Scene,
    winner: Document,
    trials: Trials,
    series_of: SeriesOf,
    catalogue: Catalogue = CATALOGUE,
) -> dict[str, Any]:
    """Return the statistics of a search: `statistics`, `robustness`, `monte_carlo`, `winner`."""
    run = read_stored_run(winner, catalogue)
    series = series_of(run)
    outcome = next(iter(run_series(series, [run], with_curve=True, catalogue=catalogue)))
    if outcome.curve is None or outcome.metrics is None:
        said = ": ".join(outcome.error) if outcome.error else outcome.status.value
        return {"winner": _winner(scene, winner), "reason": f"run again, the winner gave {said}"}
    if outcome.metrics.final_equity != winner["final_equity"]:
        return {"winner": _winner(scene, winner), "reason": CHANGED}
    candles = series[run.instrument]
    span = prepare_candles(candles, run) if run.portfolio is None else account_span(series, run)
    return {
        "winner": _winner(scene, winner),
        "statistics": _statistics(run, outcome, span, trials, candles, catalogue),
        "monte_carlo": _monte_carlo(run, outcome, span),
        "robustness": _robustness(scene, run, candles, span, catalogue),
    }


def _robustness(
    scene: Scene, run: Run, candles: Candles, span: PreparedCandles, catalogue: Catalogue
) -> dict[str, Any]:
    if run.portfolio is not None:
        return {"reason": OF_SEVERAL}
    if scene.rank_by in LOWER_IS_BETTER:
        said = f"it compares numbers of which more is better, and {scene.rank_by} is not"
        return {"reason": said}
    return robustness(
        candles,
        run,
        metric=scene.rank_by,
        catalogue=catalogue,
        steps=_steps(scene),
        permutations=permutations_for(span.bars),
    ).document()


def chosen_by_window(
    scene: Scene, documents: Iterable[Document]
) -> dict[str, list[Document | None]]:
    """Return the best result of each instrument and training window, None where there is none."""
    by_window: dict[tuple[str, str, str], list[Document]] = {}
    for one in documents:
        if one["status"] in WITH_METRICS:
            by_window.setdefault((one["instruments"][0], one["start"], one["end"]), []).append(one)
    return {
        instrument: [
            _first(by_window.get((instrument, *_training(fold)), ()), scene.rank_by)
            for fold in scene.folds
        ]
        for instrument in scene.instruments
    }


def winner_of(
    scene: Scene, best: Document | None, chosen: Mapping[str, Sequence[Document | None]]
) -> Document | None:
    """Return the run that a search hands on: its best, or that of the last training window."""
    if scene.validation is None:
        return best
    last = [found[-1] for found in chosen.values() if found]
    return _first([one for one in last if one is not None], scene.rank_by)


def _training(fold: Fold) -> tuple[str, str]:
    return instant_text(from_ms(fold.train_start_ms)), instant_text(from_ms(fold.train_end_ms))


def _first(documents: Sequence[Document], by: str) -> Document | None:
    ranked = rank(documents, by)
    return ranked[0] if ranked else None


def _tested(fold: Fold, document: Document, candles_of: CandlesOf, catalogue: Catalogue) -> Stretch:
    run = replace(
        read_stored_run(document, catalogue),
        start=from_ms(fold.test_start_ms),
        end=from_ms(fold.test_end_ms),
    )
    return closed_out(candles_of(run), run, catalogue)


def _fold_document(
    scene: Scene, fold: Fold, document: Document | None, stretch: Stretch | None
) -> dict[str, Any]:
    windows = {
        **dict(zip(("train_start", "train_end"), _training(fold), strict=True)),
        "test_start": instant_text(from_ms(fold.test_start_ms)),
        "test_end": instant_text(from_ms(fold.test_end_ms)),
    }
    if document is None or stretch is None:
        return {**windows, "status": "no_choice"}
    return {
        **windows,
        "run_key": document["run_key"],
        "choice": choice_of(scene, document),
        "trained": document[scene.rank_by],
        "purged": document["open_trades"],
        "status": stretch.status.value,
        "error": stretch.error,
        **stretch.numbers(),
    }


def _statistics(
    run: Run,
    outcome: Outcome,
    span: PreparedCandles,
    trials: Trials,
    candles: Candles,
    catalogue: Catalogue,
) -> dict[str, Any]:
    assert outcome.curve is not None  # noqa: S101  the caller has seen to it
    assert outcome.blocks is not None  # noqa: S101
    counts = np.array(outcome.blocks.counts, dtype=np.float64)
    if np.any(counts < 1):
        reason = "the winner has not one return in each of 16 blocks: its span is too short"
        return {"n_trials": trials.n_trials, "reason": reason}
    same = np.all(trials.counts == counts, axis=1)
    blocks = Blocks(trials.sums[same], trials.squares[same], counts.astype(np.int64))
    found = returns_of(outcome.curve, span, run.cash)
    own = _sampled(trials.own[same])
    is_single = run.portfolio is None
    models = _models(trials.top if is_single else (), candles, span, catalogue, len(found))
    verdict = judge(
        found,
        blocks,
        own=own,
        n_trials=trials.n_trials,
        returns=models if len(models) else None,
        benchmark=span.benchmark if len(models) else None,
    )
    document = verdict.document()
    if not is_single:
        document["notes"].append(f"spa_p is not taken: {OF_SEVERAL}.")
    if own.sum() < trials.own[same].sum():
        document["notes"].append(f"pbo is of a seeded sample of {COMPARED:,} of the trials.")
    if verdict.superior is not None and len(models) < int(same.sum()):
        document["notes"].append(
            f"spa_p is of the {len(models)} best runs of {run.instrument} alone, and smaller than "
            "it should be."
        )
    return document


def _sampled(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of some of the trials, so that comparing all halves takes a second or two."""
    trials = np.flatnonzero(own)
    if len(trials) <= COMPARED:
        return own
    sampled = np.zeros_like(own)
    sampled[np.random.default_rng(0).choice(trials, COMPARED, replace=False)] = True
    return sampled


def _models(
    top: Sequence[Document],
    candles: Candles,
    span: PreparedCandles,
    catalogue: Catalogue,
    periods: int,
) -> Float:
    """Return the period returns of some runs, those that were ruined left out."""
    runs = [read_stored_run(document, catalogue) for document in top[: models_for(span.bars)]]
    rows = [
        returns_of(outcome.curve, span, outcome.run.cash)
        for outcome in run_all(candles, runs, with_curve=True, catalogue=catalogue)
        if outcome.curve is not None
    ]
    return np.array([row for row in rows if len(row) == periods])


def returns_of(curve: Curve, span: PreparedCandles, cash: float) -> Float:
    """Return the period returns of a curve, as its metrics have them."""
    closes = np.concatenate(([cash], curve.equity[period_ends_of(curve, span)]))
    return closes[1:] / closes[:-1] - 1.0


def period_ends_of(curve: Curve, span: PreparedCandles) -> NDArray[np.int64]:
    """Return the last bar of each period of a curve: (m,) int64."""
    bars = len(curve.equity)
    ends = span.ends[span.ends < bars]
    if len(ends) < len(span.ends):  # ruined: the period of that candle is the last one
        ends = np.append(ends, bars - 1) if bars - 1 not in ends else ends
    return ends


def shuffled(
    run: Run, curve: Curve, *, shuffles: int = PATHS, seed: int = 0
) -> TradeShuffle | None:
    """Return a run's trades in other orders; None without trades, or where they lost all cash."""
    profits = np.array([trade.profit for trade in curve.trades])
    if not len(profits) or not np.all(run.cash + np.cumsum(profits) > 0.0):
        return None
    return shuffle_trades(trade_returns(profits, run.cash), shuffles=shuffles, seed=seed)


def _monte_carlo(run: Run, outcome: Outcome, span: PreparedCandles) -> dict[str, Any]:
    assert outcome.curve is not None  # noqa: S101
    found = returns_of(outcome.curve, span, run.cash)
    told: dict[str, Any] = {}
    if len(found) >= 2:
        paths = resample(found, periods_per_year=span.periods_per_year, years=span.years)
        told["returns"] = {
            name: value for name, value in paths.document().items() if not name.startswith("fan")
        }
    if run.portfolio is not None:
        told["trades"] = {"reason": "trades that are open at the same time cannot be shuffled"}
        return told
    if trades := shuffled(run, outcome.curve):
        told["trades"] = trades.document()
    return told


def _winner(scene: Scene, document: Document) -> dict[str, Any]:
    names = ("run_key", "interval", "start", "end", "sharpe", "total_return", "max_drawdown")
    return {
        "instrument": " + ".join(document["instruments"]),
        "strategy": document["strategy"]["name"],
        "choice": choice_of(scene, document),
        **{name: document[name] for name in (*names, "trades")},
        "rank_by": scene.rank_by,
        scene.rank_by: document[scene.rank_by],
    }


def _steps(scene: Scene) -> dict[str, float]:
    """Return how far apart the search's own values of a parameter lie: its neighbours."""
    prefix = "strategy.params."
    found: dict[str, float] = {}
    for path, axis in scene.search.space.items() if scene.search else ():
        if isinstance(axis, Steps):
            step: float | None = axis.step
        elif isinstance(axis, tuple):
            values = sorted(float(one) for one in axis if isinstance(one, int | float))
            step = min((high - low for low, high in pairwise(values) if high > low), default=None)
        else:
            step = None
        if path.startswith(prefix) and step is not None:
            found[path.removeprefix(prefix)] = step
    return found


def _at(document: Document, path: str) -> Any:
    if path == "strategy.name":
        return document["strategy"]["name"]
    value: Any = document
    for part in path.replace("strategy.params.", "params.", 1).split("."):
        if value is None:
            break
        value = value[int(part)] if isinstance(value, list | tuple) else value.get(part)
    return value


def _thinned(whole: Stretch, scene: Scene) -> dict[str, Any]:
    """Return the equity at the ends of some periods, at most a thousand."""
    if not len(whole.equity):
        return {"at": [], "equity": []}
    is_intraday = scene.interval.is_intraday
    ends = ends_of_periods(whole.opened_ms, whole.calendar, is_intraday=is_intraday)
    kept = ends[
        np.unique(np.linspace(0, len(ends) - 1, min(POINTS, len(ends))).round().astype(int))
    ]
    return {
        "at": [instant_text(from_ms(int(ms))) for ms in whole.opened_ms[kept]],
        "equity": [defined(value) for value in whole.equity[kept]],
    }
