"""A whole scene in this process: every run, then the report on its search. Nothing is stored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from backtests.candles.prepared import PreparedCache
from backtests.portfolio import run_series
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs, window_variants
from mela.interval import Interval
from mela.result import Curve, result_document
from mela.run import Run, by_candles
from mela.scene import Scene
from mela.search_report import SearchReport
from mela.verdict import Verdict

Document = dict[str, Any]
Catalogue = Mapping[str, Strategy]
Read = Callable[[str, Interval], Candles]
SeriesOf = Callable[[Sequence[Run]], Mapping[str, Candles]]
PREPARED_KEPT = 16  # series whose indicators are kept


class _Series(NamedTuple):
    instrument: str
    interval: Interval
    inputs: frozenset[tuple[str, Interval]] = frozenset()


def whole_series(read: Read) -> SeriesOf:
    """Return what gives runs all candles there are of their series, and reads each series once.

    read: returns every candle of an instrument and interval
    """
    kept: dict[_Series, Candles] = {}

    def of(series: _Series) -> Candles:
        if series not in kept:
            if series.inputs:
                candles = of(series._replace(inputs=frozenset()))
                inputs = {key: of(_Series(*key)) for key in sorted(series.inputs)}
                kept[series] = replace(candles, inputs=inputs)
            else:
                kept[series] = read(series.instrument, series.interval)
        return kept[series]

    def series_of(runs: Sequence[Run]) -> Mapping[str, Candles]:
        first = runs[0]
        inputs = frozenset(series[:2] for run in runs for series in run.input_series)
        names = first.instruments
        return {name: of(_Series(name, first.interval, inputs)) for name in names}

    return series_of


@dataclass
class Bench:
    """Executes runs, and computes each indicator of a series once.

    read: returns the candles that runs of one account and span read, the same object for the same
        candles
    verdicts: what is known of lookahead, by a strategy's digest
    """

    read: SeriesOf
    catalogue: Catalogue = field(default_factory=lambda: CATALOGUE)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])

    def __post_init__(self) -> None:
        self._prepared: OrderedDict[Candles, PreparedCache] = OrderedDict()

    def candles_of(self, run: Run) -> Candles:
        """Return the candles of a run's series, with those of its inputs."""
        return self.series_of(run)[run.instrument]

    def series_of(self, run: Run) -> Mapping[str, Candles]:
        """Return the candles of each instrument of a run's account, with those of its inputs."""
        return self.read([run])

    def answers(self, runs: Sequence[Run]) -> Iterator[Document]:
        """Yield the result document of each run of one account and span, in order."""
        series = self.read(runs)
        _refuse_unknown_tick(runs, series)
        for outcome in run_series(
            series, runs, catalogue=self.catalogue, spans_of=self._prepared_of
        ):
            made_with = provenance(outcome.run.strategy, None, self.catalogue)
            made_with = made_with._replace(lookahead=self.verdicts.get(made_with.strategy_digest))
            yield result_document(outcome, made_with, scene_id=None)

    def curve_of(self, run: Run) -> Curve | None:
        """Return the trades and the equity of a run; None where it gives no numbers."""
        outcomes = run_series(
            self.series_of(run),
            [run],
            with_curve=True,
            catalogue=self.catalogue,
            spans_of=self._prepared_of,
        )
        return next(outcomes).curve

    def answer(self, run: Run) -> Document:
        """Return the result document of one run."""
        return next(self.answers([run]))

    def _prepared_of(self, candles: Candles) -> PreparedCache:
        if candles not in self._prepared:
            self._prepared[candles] = PreparedCache(candles)
            while len(self._prepared) > PREPARED_KEPT:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(candles)
        return self._prepared[candles]


def _refuse_unknown_tick(runs: Sequence[Run], series: Mapping[str, Candles]) -> None:
    """Raise SceneInvalid where prices are to be rounded to a tick that nobody knows."""
    if not any(run.costs.round_to_tick for run in runs):
        return
    for name in runs[0].instruments:
        if series[name].tick is None:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                "costs.round_to_tick",
                f"the tick of {name} is not known from its candles, so that no price can be "
                "rounded to it: tell it with --tick, or leave round_to_tick out.",
            )


@dataclass(frozen=True, slots=True)
class Done:
    """The result of each run of a scene, and how many runs its plan left out."""

    documents: list[Document]
    skipped: int


def check(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> Plan:
    """Return the plan of a scene, for `execute`. Raises SceneInvalid.

    Notebooks call it, and `mela compare` does so in older commits too.
    """
    return plan_runs(scene, catalogue, max_runs=max_runs)


def execute(scene: Scene, plan: Plan, bench: Bench) -> Done:
    """Execute the runs of a scene."""
    if plan.learns:
        return _learn(scene, bench)
    runs = list(plan.expand())
    found = {
        document["run_key"]: document
        for together in by_candles(runs)
        for document in bench.answers(together)
    }
    return Done([found[run.run_key] for run in runs], plan.skipped)


def conclude(
    scene: Scene, documents: Sequence[Mapping[str, Any]], bench: Bench
) -> SearchReport | None:
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
