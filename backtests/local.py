"""A whole scene in this process: every run, then its conclusion. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from backtests.candles.prepared import Spans
from backtests.portfolio import run_series
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.grid import Plan, check_space, plan_runs, window_variants
from mela.interval import Interval
from mela.result import rank, result_document
from mela.run import Run
from mela.scene import Scene, TpeSearch

Document = dict[str, Any]
Catalogue = Mapping[str, Strategy]
Read = Callable[[str, Interval], Candles]


@dataclass
class Bench:
    """Executes runs on candles that it reads once.

    read: (instrument, interval) → all candles that there are
    """

    read: Read
    catalogue: Catalogue = field(default_factory=lambda: CATALOGUE)

    def __post_init__(self) -> None:
        self._series: dict[tuple[str, Interval], tuple[Candles, Spans]] = {}

    def candles_of(self, run: Run) -> Candles:
        """Return the candles of a run's series."""
        return self._kept(run.instrument, run.interval)[0]

    def series_of(self, run: Run) -> dict[str, Candles]:
        """Return the candles of each instrument of a run's account."""
        return {name: self._kept(name, run.interval)[0] for name in run.instruments}

    def answers(self, runs: Sequence[Run]) -> Iterator[Document]:
        """Yield the result document of each run of one account and interval, in order."""
        first = runs[0]
        for outcome in run_series(
            self.series_of(first),
            runs,
            catalogue=self.catalogue,
            spans_of=lambda _: self._kept(first.instrument, first.interval)[1],
        ):
            made_with = provenance(outcome.run.strategy, None, self.catalogue)
            yield result_document(outcome, made_with, scene_id=None)

    def answer(self, run: Run) -> Document:
        """Return the result document of one run."""
        return next(self.answers([run]))

    def _kept(self, instrument: str, interval: Interval) -> tuple[Candles, Spans]:
        key = instrument, interval
        if key not in self._series:
            candles = self.read(instrument, interval)
            self._series[key] = candles, Spans(candles)
        return self._series[key]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a scene: a result for each run, and how many were left out."""

    documents: list[Document]
    skipped: int


def check(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> Plan | None:
    """Return the plan of a scene, None where TPE makes it up as it goes. Raises SceneInvalid."""
    if isinstance(scene.search, TpeSearch):
        check_space(scene, catalogue, max_runs=max_runs)
        return None
    return plan_runs(scene, catalogue, max_runs=max_runs)


def execute(scene: Scene, plan: Plan | None, bench: Bench) -> Done:
    """Execute the runs of a scene."""
    if plan is None:
        return _learn(scene, bench)
    documents: list[Document] = []
    for _, runs in groupby(plan.expand(), key=lambda run: (run.instruments, run.interval)):
        documents += bench.answers(list(runs))
    return Done(documents, plan.skipped)


def conclude(
    scene: Scene, documents: Sequence[Mapping[str, Any]], bench: Bench
) -> dict[str, Any] | None:
    """Return the report on a scene's search; None where it searched and validated nothing.

    Only its own runs are known here, and no opening of a holdout: `recorded` says so.
    """
    if not (scene.search or scene.validation or scene.holdout):
        return None
    from backtests.search import report as conclusion

    chosen = conclusion.chosen_by_window(scene, documents)
    eligible = [one for one in documents if one["status"] in conclusion.WITH_METRICS]
    ranked = rank(eligible, scene.rank_by)
    winner = conclusion.winner_of(scene, ranked[0] if ranked else None, chosen)
    report: dict[str, Any] = {"recorded": False}
    if scene.validation is not None:
        report["walk_forward"] = conclusion.walk_forward(
            scene, chosen, bench.candles_of, bench.catalogue
        )
    if winner is None:
        return {**report, "reason": "no run of the scene has any metrics"}
    names = ("instruments", "interval", "start", "end")
    top = [one for one in ranked if all(one[name] == winner[name] for name in names)]
    trials = conclusion.trials_of(eligible, winner, top[: conclusion.MODELS])
    report |= conclusion.judged(scene, winner, trials, bench.series_of, bench.catalogue)
    if scene.holdout is not None:
        report["holdout"] = {
            **conclusion.holdout(scene, winner, bench.candles_of, bench.catalogue),
            "reopened": None,
        }
    return report


def _learn(scene: Scene, bench: Bench) -> Done:
    from backtests.search.tpe import tpe_runs  # it takes a second to load Optuna

    documents: list[Document] = []
    skipped = 0
    for instrument in scene.instruments:
        for window in window_variants(scene):
            found, refused = tpe_runs(scene, instrument, window, bench.catalogue, bench.answer)
            documents += found
            skipped += refused
    return Done(documents, skipped)
