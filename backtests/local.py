"""A whole scene in this process: every run, then the report on its search. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from backtests.candles.prepared import PreparedCache
from backtests.portfolio import run_series
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, check_space, plan_runs, window_variants
from mela.interval import Interval
from mela.result import Curve, result_document
from mela.run import Run
from mela.scene import Scene, TpeSearch

Document = dict[str, Any]
Catalogue = Mapping[str, Strategy]
Read = Callable[[str, Interval], Candles]


class _Series(NamedTuple):
    instrument: str
    interval: Interval
    inputs: frozenset[tuple[str, Interval]] = frozenset()


@dataclass
class Bench:
    """Executes runs and reads the candles of each series once.

    read: returns every candle of an instrument and interval
    """

    read: Read
    catalogue: Catalogue = field(default_factory=lambda: CATALOGUE)

    def __post_init__(self) -> None:
        self._series: dict[_Series, tuple[Candles, PreparedCache]] = {}

    def candles_of(self, run: Run) -> Candles:
        """Return the candles of a run's series, with those of its inputs."""
        return self._kept(run.instrument, [run])[0]

    def series_of(self, run: Run) -> dict[str, Candles]:
        """Return the candles of each instrument of a run's account, with those of its inputs."""
        return {name: self._kept(name, [run])[0] for name in run.instruments}

    def answers(self, runs: Sequence[Run]) -> Iterator[Document]:
        """Yield the result document of each run of one account and interval, in order."""
        first = runs[0]
        self._refuse_unknown_tick(runs)
        for outcome in run_series(
            {name: self._kept(name, runs)[0] for name in first.instruments},
            runs,
            catalogue=self.catalogue,
            spans_of=lambda _: self._kept(first.instrument, runs)[1],
        ):
            made_with = provenance(outcome.run.strategy, None, self.catalogue)
            yield result_document(outcome, made_with, scene_id=None)

    def curve_of(self, run: Run) -> Curve | None:
        """Return the trades and the equity of a run; None where it gives no numbers."""
        series, spans = self.series_of(run), lambda _: self._kept(run.instrument, [run])[1]
        outcomes = run_series(
            series, [run], with_curve=True, catalogue=self.catalogue, spans_of=spans
        )
        return next(outcomes).curve

    def answer(self, run: Run) -> Document:
        """Return the result document of one run."""
        return next(self.answers([run]))

    def _refuse_unknown_tick(self, runs: Sequence[Run]) -> None:
        """Raise SceneInvalid where prices are to be rounded to a tick that nobody knows."""
        if not any(run.costs.round_to_tick for run in runs):
            return
        for name in runs[0].instruments:
            if self._kept(name, runs)[0].tick is None:
                raise SceneInvalid(
                    RejectionCode.INVALID_FIELD,
                    "costs.round_to_tick",
                    f"the tick of {name} is not known from its candles, so that no price can be "
                    "rounded to it: leave round_to_tick out.",
                )

    def _kept(self, instrument: str, runs: Sequence[Run]) -> tuple[Candles, PreparedCache]:
        """Return a series that runs of one interval trade on, with the inputs of all of them."""
        inputs = {series[:2] for run in runs for series in run.input_series}
        return self._of(_Series(instrument, runs[0].interval, frozenset(inputs)))

    def _of(self, series: _Series) -> tuple[Candles, PreparedCache]:
        if series not in self._series:
            if series.inputs:
                candles = self._of(series._replace(inputs=frozenset()))[0]
                inputs = {key: self._of(_Series(*key))[0] for key in sorted(series.inputs)}
                candles = replace(candles, inputs=inputs)
            else:
                candles = self.read(series.instrument, series.interval)
            self._series[series] = candles, PreparedCache(candles)
        return self._series[series]


@dataclass(frozen=True, slots=True)
class Done:
    """The result of each run of a scene, and how many runs its plan left out."""

    documents: list[Document]
    skipped: int


def check(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> Plan | None:
    """Return the plan of a scene, or None if TPE chooses its runs as it goes.

    Raises SceneInvalid.
    """
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
    """Return the report on a scene's search, or None if it neither searched nor validated.

    Only the scene's own runs are known here, and openings of a holdout are not remembered: the
    report's `recorded` is false.
    """
    from backtests.search.evaluate import evaluate_search  # it takes a second to load SciPy
    from backtests.search.memory_store import MemoryStore

    store = MemoryStore(scene, documents, bench.series_of)
    return evaluate_search(scene, store, bench.catalogue)


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
