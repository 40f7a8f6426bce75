"""Judge a search: its walk-forward, its holdout, and how much of its winner is luck.

Pure: candles and documents of results come in, parts of a `SearchReport` go out. The platform gives
the runs that it has recorded, `mela backtest` those that it made itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCandles, prepare_candles
from backtests.metrics import ends_of_periods
from backtests.portfolio import account_span, run_series
from backtests.run_facts import risk_free_of
from backtests.search.choice import choice_of, training_window
from backtests.search.out_of_sample import Stretch, chained, closed_out, defined, in_equal_shares
from backtests.search.period_returns import returns_of, shuffled
from backtests.search.trials import Trials, models_for
from backtests.simulate import run_all
from backtests.statistics.blocks import Blocks
from backtests.statistics.montecarlo import resample
from backtests.statistics.robustness import PERMUTATIONS, robustness
from backtests.statistics.search_statistics import judge
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.messages import read_stored_run
from mela.result import LOWER_IS_BETTER, Outcome
from mela.run import Run, from_ms, instant_text
from mela.scene import Scene
from mela.search import Steps
from mela.search_report import (
    EquityPoints,
    FoldReport,
    HoldoutReport,
    InstrumentWalk,
    MonteCarloReport,
    PathsReport,
    RobustnessReport,
    SearchReport,
    StatisticsReport,
    WalkForwardReport,
    WinnerReport,
)
from mela.windows import Fold

Float = NDArray[np.float64]
Document = Mapping[str, Any]
CandlesOf = Callable[[Run], Candles]
SeriesOf = Callable[[Run], Mapping[str, Candles]]
Catalogue = Mapping[str, Strategy]
COMPARED = 5_000  # trials whose halves are compared, for pbo
FEWEST_PERMUTATIONS = 20
PERMUTED_CANDLES = 8_000_000
CHANGED = "the candles or the strategy changed after the runs were computed"
OF_SEVERAL = "it is of runs of one instrument, and the winner's account has several"
POINTS = 1_000  # of the out-of-sample equity that a report keeps, at most


def permutations_for(candles: int) -> int:
    """Return how often so many candles are shuffled.

    >>> permutations_for(10_000), permutations_for(100_000), permutations_for(1_000_000)
    (200, 80, 20)
    """
    return max(FEWEST_PERMUTATIONS, min(PERMUTATIONS, PERMUTED_CANDLES // max(1, candles)))


def walk_forward(
    scene: Scene,
    chosen: Mapping[str, Sequence[Document | None]],
    candles_of: CandlesOf,
    catalogue: Catalogue = CATALOGUE,
) -> WalkForwardReport:
    """Run the best of each training window on its test window; return what that came to.

    chosen: instrument → the best result of each fold, None where none has any metrics
    """
    by_instrument: dict[str, InstrumentWalk] = {}
    wholes: list[Stretch] = []
    for instrument, best in chosen.items():
        folds: list[FoldReport] = []
        stretches: list[Stretch] = []
        for fold, document in zip(scene.folds, best, strict=True):
            stretch = None if document is None else _tested(fold, document, candles_of, catalogue)
            folds.append(_fold_report(scene, fold, document, stretch))
            stretches += [] if stretch is None else [stretch]
        whole = chained(stretches, scene.cash)
        wholes.append(whole)
        tested = sum(len(stretch.equity) > 0 for stretch in stretches)
        by_instrument[instrument] = InstrumentWalk(
            **whole.numbers(), tested=tested, folds=tuple(folds)
        )
    together = in_equal_shares(wholes, is_intraday=scene.interval.is_intraday)
    return WalkForwardReport(
        **together.numbers(),
        folds=len(scene.folds),
        untested=sum(len(scene.folds) - one.tested for one in by_instrument.values()),
        equity=_thinned(together, scene),
        instruments=by_instrument,
    )


def holdout(
    scene: Scene, winner: Document, candles_of: CandlesOf, catalogue: Catalogue = CATALOGUE
) -> HoldoutReport:
    """Run the winner on the candles that the search did not see; return what that came to."""
    assert scene.holdout is not None  # noqa: S101  the caller asks only then
    run = replace(read_stored_run(winner, catalogue), start=scene.holdout.start, end=scene.end)
    stretch = closed_out(candles_of(run), run, catalogue)
    return HoldoutReport(
        start=instant_text(scene.holdout.start),
        end=instant_text(scene.end),
        instrument=run.instrument,
        run_key=winner["run_key"],
        status=stretch.status.value,
        error=stretch.error,
        **stretch.numbers(),
    )


def judged(
    report: SearchReport,
    scene: Scene,
    winner: Document,
    trials: Trials,
    series_of: SeriesOf,
    catalogue: Catalogue = CATALOGUE,
) -> SearchReport:
    """Return a report with what is known of its winner, or with the reason why nothing is."""
    run = read_stored_run(winner, catalogue)
    series = series_of(run)
    outcome = next(iter(run_series(series, [run], with_curve=True, catalogue=catalogue)))
    report = report.model_copy(update={"winner": _winner(scene, winner)})
    if outcome.curve is None or outcome.metrics is None:
        reason = ": ".join(outcome.error) if outcome.error else outcome.status.value
        return report.model_copy(update={"reason": f"run again, the winner gave {reason}"})
    if outcome.metrics.final_equity != winner["final_equity"]:
        return report.model_copy(update={"reason": CHANGED})
    candles = series[run.instrument]
    span = prepare_candles(candles, run) if run.portfolio is None else account_span(series, run)
    return report.model_copy(
        update={
            "statistics": _statistics(run, outcome, span, trials, candles, catalogue),
            "monte_carlo": _monte_carlo(run, outcome, span),
            "robustness": _robustness(scene, run, candles, span, catalogue),
        }
    )


def _robustness(
    scene: Scene, run: Run, candles: Candles, span: PreparedCandles, catalogue: Catalogue
) -> RobustnessReport:
    if run.portfolio is not None:
        return RobustnessReport(reason=OF_SEVERAL)
    if scene.rank_by in LOWER_IS_BETTER:
        reason = f"it compares numbers of which more is better, and {scene.rank_by} is not"
        return RobustnessReport(reason=reason)
    found = robustness(
        candles,
        run,
        metric=scene.rank_by,
        catalogue=catalogue,
        steps=_steps(scene),
        permutations=permutations_for(span.bars),
    )
    return RobustnessReport.model_validate(found.document())


def _tested(fold: Fold, document: Document, candles_of: CandlesOf, catalogue: Catalogue) -> Stretch:
    run = replace(
        read_stored_run(document, catalogue),
        start=from_ms(fold.test_start_ms),
        end=from_ms(fold.test_end_ms),
    )
    return closed_out(candles_of(run), run, catalogue)


def _fold_report(
    scene: Scene, fold: Fold, document: Document | None, stretch: Stretch | None
) -> FoldReport:
    train_start, train_end = training_window(fold)
    report = FoldReport(
        train_start=train_start,
        train_end=train_end,
        test_start=instant_text(from_ms(fold.test_start_ms)),
        test_end=instant_text(from_ms(fold.test_end_ms)),
        status="no_choice",
    )
    if document is None or stretch is None:
        return report
    return report.model_copy(
        update={
            "run_key": document["run_key"],
            "choice": choice_of(scene, document),
            "trained": document[scene.rank_by],
            "purged": document["open_trades"],
            "status": stretch.status.value,
            "error": stretch.error,
            **stretch.numbers(),
        }
    )


def _statistics(
    run: Run,
    outcome: Outcome,
    span: PreparedCandles,
    trials: Trials,
    candles: Candles,
    catalogue: Catalogue,
) -> StatisticsReport:
    assert outcome.curve is not None  # noqa: S101  the caller has seen to it
    assert outcome.blocks is not None  # noqa: S101
    counts = np.array(outcome.blocks.counts, dtype=np.float64)
    if np.any(counts < 1):
        reason = "the winner has not one return in each of 16 blocks: its span is too short"
        return StatisticsReport(n_trials=trials.n_trials, reason=reason)
    same = np.all(trials.counts == counts, axis=1)
    blocks = Blocks(trials.sums[same], trials.squares[same], counts.astype(np.int64))
    found = returns_of(outcome.curve, span, run.cash)
    own = _sampled(trials.own[same])
    is_single = run.portfolio is None
    models = _models(trials.top if is_single else (), candles, span, catalogue, len(found))
    verdict = judge(
        found - risk_free_of(run, span.periods_per_year),
        blocks,
        own=own,
        n_trials=trials.n_trials,
        returns=models if len(models) else None,
        benchmark=span.benchmark if len(models) else None,
    )
    notes = list(verdict.notes)
    if not is_single:
        notes.append(f"The test against buying and holding (SPA) was not made: {OF_SEVERAL}.")
    if own.sum() < trials.own[same].sum():
        notes.append(
            f"The probability of overfitting (PBO) is taken from a seeded sample of {COMPARED:,} "
            "of the trials."
        )
    if verdict.superior is not None and len(models) < int(same.sum()):
        notes.append(
            f"The test against buying and holding (SPA) covers the {len(models)} best runs of "
            f"{run.instrument} alone, so that its p is smaller than it should be."
        )
    return StatisticsReport.model_validate({**verdict.document(), "notes": notes})


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


def _monte_carlo(run: Run, outcome: Outcome, span: PreparedCandles) -> MonteCarloReport:
    assert outcome.curve is not None  # noqa: S101
    found = returns_of(outcome.curve, span, run.cash)
    report = MonteCarloReport()
    if len(found) >= 2:
        paths = resample(
            found,
            periods_per_year=span.periods_per_year,
            years=span.years,
            risk_free=risk_free_of(run, span.periods_per_year),
        )
        drawn = {
            name: value for name, value in paths.document().items() if not name.startswith("fan")
        }
        report = report.model_copy(update={"returns": PathsReport.model_validate(drawn)})
    if run.portfolio is not None:
        reason = "trades that are open at the same time cannot be shuffled"
        return report.model_copy(update={"trades": {"reason": reason}})
    if trades := shuffled(run, outcome.curve):
        return report.model_copy(update={"trades": trades.document()})
    return report


def _winner(scene: Scene, document: Document) -> WinnerReport:
    names = ("run_key", "interval", "start", "end", "sharpe", "total_return", "max_drawdown")
    return WinnerReport(
        instrument=" + ".join(document["instruments"]),
        strategy=document["strategy"]["name"],
        choice=choice_of(scene, document),
        rank_by=scene.rank_by,
        **{name: document[name] for name in dict.fromkeys((*names, "trades", scene.rank_by))},
    )


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


def _thinned(whole: Stretch, scene: Scene) -> EquityPoints:
    """Return the equity at the ends of some periods, at most a thousand."""
    if not len(whole.equity):
        return EquityPoints(at=(), equity=())
    is_intraday = scene.interval.is_intraday
    ends = ends_of_periods(whole.opened_ms, whole.calendar, is_intraday=is_intraday)
    kept = ends[
        np.unique(np.linspace(0, len(ends) - 1, min(POINTS, len(ends))).round().astype(int))
    ]
    return EquityPoints(
        at=tuple(instant_text(from_ms(int(ms))) for ms in whole.opened_ms[kept]),
        equity=tuple(defined(value) for value in whole.equity[kept]),
    )
