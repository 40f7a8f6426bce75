"""The engine in this process, asked as the platform is. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from api.models.catalogue import StrategyDetail, StrategyRow
from api.models.data import SeriesRow
from api.models.events import SceneEvent
from api.models.runs import CandleColumns, Comparison, RunCandles
from api.models.scene_runs import RunRow, SceneReport
from api.models.scenes import Fault, MissingCandles, SceneDetail, SceneRow, Validation
from backtests import local
from backtests.catalogue.own_file import registered, strategies_in
from backtests.charts.view import buy_and_hold, drawdowns
from backtests.local import Bench
from backtests.printing import printing_to_stderr
from backtests.strategy import Catalogue, Strategy
from client.local_compare import compared, run_to_compare
from client.local_rows import (
    LocalScene,
    columns_of,
    run_candles,
    run_row,
    scene_report,
    scene_yaml,
    strategy_detail,
    strategy_row,
)
from client.local_series import missing_candles, series_rows
from client.platform import About, Kind, RunCurve, SceneFilter
from mela.curve import Curve, trade_documents
from mela.errors import CandlesMissing, Conflict, InputInvalid, NotFound, SceneInvalid
from mela.errors import RejectionCode as Code
from mela.grid import Plan, plan_runs
from mela.interval import Interval
from mela.market_checks import check_markets
from mela.messages import read_stored_run
from mela.metrics import rank
from mela.name_suggestions import did_you_mean, ended
from mela.outcome import WITH_METRICS, Outcome
from mela.run import Run, by_candles, to_ms
from mela.scene import Scene, parse_scene, scene_faults
from mela.scene_check import faults_of
from mela.settings import Settings
from mela.verdict import Verdict
from services.models.pinning import pinned_scene
from services.runs.run_compare import FEWEST, MOST, RunToCompare
from services.scenes.local_check import checked_scene, parsed_scene
from services.strategies.all_strategies import all_strategies
from services.strategies.local_verdicts import known_here
from sources.files.given import Given, Read, instruments_of, reader_of
from sources.files.market import inferred_words
from sources.files.options import NO_OPTIONS, FileOptions
from sources.files.read import FileCandles

WAY_OUT = "Give Client.local({{'{}': FILE}}) its candles."
STEP = 200  # runs between two events
Document = dict[str, Any]


@dataclass
class LocalPlatform:
    """Answers as the platform does, with candles that were given.

    strategies: a file or a folder of strategies of the user's own, which scenes may name
    say: is told what was done and inferred to read the candles, each sentence once
    """

    given: Given
    options: FileOptions = NO_OPTIONS
    strategies_at: Path | None = None
    settings: Settings = field(default_factory=Settings)
    say: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self._scenes: dict[UUID, LocalScene] = {}
        self._benches: dict[UUID, Bench] = {}
        self._of_run: dict[str, UUID] = {}
        self._said: set[str] = set()

    def validate(self, document: Mapping[str, Any]) -> Validation:
        """Say what is wrong with a scene, and how many runs it has."""
        with self._catalogue() as catalogue:
            faults = faults_of(
                document,
                lambda scene: plan_runs(
                    pinned_scene(scene, self.settings), catalogue, max_runs=self.settings.max_runs
                ),
            )
            scene = None if scene_faults(document) else parse_scene(document)
            plan = None
            missing: list[MissingCandles] = []
            if scene is not None and not faults:
                pinned = pinned_scene(scene, self.settings)
                plan = plan_runs(pinned, catalogue, max_runs=self.settings.max_runs)
                unknown, missing = self._candles_of(scene, plan)
                faults += unknown
        is_valid = not faults
        return Validation(
            is_valid=is_valid,
            faults=tuple(
                Fault(code=one.code.value, field=one.field, message=one.sentence) for one in faults
            ),
            runs=plan.runs if plan and is_valid else 0,
            skipped=plan.skipped if plan and is_valid else 0,
            stored_runs=0,
            expected_seconds=None,
            missing_candles=tuple(missing),
            warnings=(),
            yaml=scene_yaml(scene) if scene else None,
        )

    def publish(self, document: Mapping[str, Any], about: About) -> UUID:
        """Check a scene and keep it; following it runs it. Raises SceneInvalid."""
        most = self.settings.max_runs
        with self._catalogue() as catalogue:
            scene = pinned_scene(parsed_scene(document, catalogue, max_runs=most), self.settings)
            scene, plan = checked_scene(scene, catalogue, max_runs=most)
            read = self._reader(scene)
            if scene.mode == "together" or plan.has_free_shorts:
                known = instruments_of(scene, read, self.options)
                check_markets(scene, known, has_free_shorts=plan.has_free_shorts)
            verdicts = known_here({one.digest for one in catalogue.values()}, self.settings)
        scene_id = scene.scene_id or uuid4()
        if scene_id in self._scenes:
            raise Conflict(f"the scene {scene_id} was published before.")
        kept = LocalScene(scene_id, scene, plan, about.name)
        kept.note, kept.tags = about.note, tuple(about.tags)
        self._scenes[scene_id] = kept
        self._benches[scene_id] = Bench(local.whole_series(read), catalogue, verdicts)
        return scene_id

    def follow(self, scene_id: UUID, wait_s: float | None = None) -> Iterator[SceneEvent]:  # noqa: ARG002
        """Run a scene, and yield how far it is. It runs while it is followed: nobody waits."""
        kept = self._kept(scene_id)
        yield kept.event()
        if kept.state != "planned":
            return
        bench = self._benches[scene_id]
        documents: list[Document] = []
        with self._catalogue():
            for part in self._answered(kept, bench):
                documents += part
                kept.add(part)
                yield kept.step(len(documents))
            kept.rows = rank(documents, kept.scene.ranking)
            with printing_to_stderr():
                kept.report = local.conclude(kept.scene, kept.rows, bench)
        for document in documents:
            self._of_run[document["run_key"]] = scene_id
        yield kept.step(len(documents), "finished")

    def scene(self, scene_id: UUID) -> SceneDetail:
        """Return a scene of this client."""
        return self._kept(scene_id).detail()

    def scenes(self, wanted: SceneFilter) -> Iterator[SceneRow]:
        """Yield the scenes of this client that fit, the newest first."""
        for kept in reversed(list(self._scenes.values())):
            row = kept.detail()
            if wanted.fits(row):
                yield row

    def runs(self, scene_id: UUID) -> Iterator[RunRow]:
        """Yield the runs of a scene, best first."""
        kept = self._kept(scene_id)
        for place, document in enumerate(kept.rows, 1):
            yield run_row(document, place, kept)

    def report(self, scene_id: UUID) -> SceneReport:
        """Return what a scene's search has proved, as far as its own runs tell."""
        return scene_report(self._kept(scene_id))

    def curve(self, run_key: str) -> RunCurve:
        """Return trades and equity of a run, which is executed again."""
        run, bench = self._run(run_key)
        with self._catalogue(), printing_to_stderr():
            curve = bench.curve_of(run)
        if curve is None:
            raise Conflict(f"the run {run_key[:12]} has no equity: it gave no numbers.")
        return RunCurve(
            trade_documents(curve.trades, run.instrument), self._equity(curve, run, bench)
        )

    def candles(self, run_key: str, points: int) -> RunCandles:
        """Return the candles of a run, merged to at most so many."""
        run, bench = self._run(run_key)
        return run_candles(bench.candles_of(run), run, points)

    def picture(self, scene_id: UUID, run: RunRow, kind: Kind) -> bytes:
        """Draw a run, its strategy's indicators included."""
        from backtests.charts.picture import scene_picture  # loads Plotly and matplotlib

        kept = self._kept(scene_id)
        asked, bench = self._run(run.run_key)
        if len(asked.instruments) > 1:
            raise InputInvalid("run", "no picture shows several instruments on one account.")
        with self._catalogue() as catalogue, printing_to_stderr():
            outcome = self._outcome(asked, bench)
            return scene_picture(
                kind,
                outcome,
                bench.candles_of(asked),
                rows=kept.rows,
                paths=kept.varied,
                metric=kept.scene.rank_by,
                rank=run.rank or 1,
                catalogue=catalogue,
            )

    def compare(self, runs: Sequence[str], scenes: Sequence[UUID]) -> Comparison:
        """Return what differs between two to ten runs of this client."""
        best = [self._kept(one).rows[0]["run_key"] for one in scenes if self._kept(one).rows]
        keys = list(dict.fromkeys((*runs, *best)))
        if not FEWEST <= len(keys) <= MOST:
            sentence = f"expected {FEWEST} to {MOST} different runs, but found {len(keys)}."
            raise InputInvalid("run", sentence)
        return compared([self._to_compare(key) for key in keys])

    def cancel(self, scene_id: UUID) -> SceneDetail:
        """Cancel a scene that was not followed yet."""
        kept = self._kept(scene_id)
        if kept.state != "planned":
            raise Conflict(f"the scene {scene_id} has ended: {kept.state}.")
        kept.step(0, "cancelled")
        return kept.detail()

    def strategies(self) -> Sequence[StrategyRow]:
        """Return the strategies that scenes may name."""
        with self._catalogue() as catalogue:
            return [self._strategy_row(catalogue[name]) for name in sorted(catalogue)]

    def strategy(self, name: str) -> StrategyDetail:
        """Return a strategy. Raises NotFound."""
        with self._catalogue() as catalogue:
            if name not in catalogue:
                sentence = f"no strategy is called {name!r}{did_you_mean(name, catalogue)}"
                raise NotFound(ended(sentence))
            return strategy_detail(catalogue[name], self._strategy_row(catalogue[name]))

    def series(self) -> Sequence[SeriesRow]:
        """Return the series that were given by name."""
        return list(series_rows(self.given, self.options))

    def stored(
        self, instrument: str, interval: Interval, start: datetime, end: datetime
    ) -> CandleColumns:
        """Return the candles of [start, end) that were given."""
        read = reader_of(self.given, [instrument], self.options, way_out=WAY_OUT, noted=self._note)
        return columns_of(read(instrument, interval).span(to_ms(start), to_ms(end), 0))

    def close(self) -> None:
        """Forget the scenes."""
        self._scenes.clear()
        self._benches.clear()
        self._of_run.clear()

    @contextmanager
    def _catalogue(self) -> Generator[Catalogue]:
        own = strategies_in(self.strategies_at) if self.strategies_at else {}
        all_strategies(self.settings)
        with registered(own):
            yield all_strategies(self.settings)

    def _reader(self, scene: Scene) -> Read:
        return reader_of(
            self.given, scene.instruments, self.options, way_out=WAY_OUT, noted=self._note
        )

    def _note(self, found: FileCandles, _: str) -> None:
        about = found.candles.about
        inferred = inferred_words(about) if about else None
        for sentence in (*found.notes, *filter(None, [inferred])):
            if self.say is not None and sentence not in self._said:
                self.say(sentence)
            self._said.add(sentence)

    def _candles_of(
        self, scene: Scene, plan: Plan
    ) -> tuple[list[SceneInvalid], list[MissingCandles]]:
        read = self._reader(scene)
        unknown: list[SceneInvalid] = []
        missing: list[MissingCandles] = []
        for place, name in enumerate(scene.instruments):
            try:
                missing += missing_candles(scene, name, read(name, scene.interval))
            except CandlesMissing as error:
                path = f"instruments.{place}"
                unknown.append(SceneInvalid(Code.UNKNOWN_INSTRUMENT, path, str(error)))
        if not unknown:
            try:
                known = instruments_of(scene, read, self.options)
                check_markets(scene, known, has_free_shorts=plan.has_free_shorts)
            except SceneInvalid as error:
                unknown.append(error)
        return unknown, missing

    def _answered(self, kept: LocalScene, bench: Bench) -> Iterator[list[Document]]:
        """Yield the results of a scene in parts."""
        if kept.plan.learns:
            with printing_to_stderr():
                done = local.execute(kept.scene, kept.plan, bench)
            kept.runs, kept.skipped = len(done.documents), done.skipped
            yield done.documents
            return
        for together in by_candles(list(kept.plan.expand())):
            for start in range(0, len(together), STEP):
                with printing_to_stderr():
                    yield list(bench.answers(together[start : start + STEP]))

    def _equity(self, curve: Curve, run: Run, bench: Bench) -> dict[str, Any]:
        equity = curve.equity
        hold: list[float | None] = [None] * len(equity)
        if len(run.instruments) == 1:
            span = bench.candles_of(run).span(to_ms(run.start), to_ms(run.end), 0)
            hold = buy_and_hold(span, run)[: len(equity)].tolist()
        return {
            "t": curve.opened_ms.tolist(),
            "equity": equity.tolist(),
            "drawdown": drawdowns(equity, run.cash).tolist(),
            "buy_and_hold": hold,
        }

    def _outcome(self, run: Run, bench: Bench) -> Outcome:
        from backtests.simulate import run_all

        (outcome,) = run_all(
            bench.candles_of(run), [run], with_curve=True, catalogue=bench.catalogue
        )
        return outcome

    def _to_compare(self, run_key: str) -> RunToCompare:
        run, bench = self._run(run_key)
        kept = self._scenes[self._of_run[run_key]]
        document = next(row for row in kept.rows if row["run_key"] == run_key)
        with self._catalogue(), printing_to_stderr():
            curve = bench.curve_of(run)
        equity = self._equity(curve, run, bench) if curve else None
        series = bench.series_of(run)
        return run_to_compare(document, kept.scene_id, kept.name, curve, equity, series)

    def _kept(self, scene_id: UUID) -> LocalScene:
        if scene_id not in self._scenes:
            raise NotFound(f"there is no scene {scene_id} in this client.")
        return self._scenes[scene_id]

    def _run(self, run_key: str) -> tuple[Run, Bench]:
        scene_id = self._of_run.get(run_key)
        if scene_id is None:
            raise NotFound(f"there is no run {run_key} in this client.")
        rows = self._scenes[scene_id].rows
        document = next(row for row in rows if row["run_key"] == run_key)
        if document["status"] not in WITH_METRICS:
            sentence = f"the run {run_key[:12]} ended as {document['status']}: it has no equity."
            raise Conflict(sentence)
        bench = self._benches[scene_id]
        return read_stored_run(document, bench.catalogue), bench

    def _strategy_row(self, strategy: Strategy) -> StrategyRow:
        verdict = known_here([strategy.digest], self.settings).get(strategy.digest)
        named = sum(one.scene.strategy.name == strategy.name for one in self._scenes.values())
        return strategy_row(strategy, verdict or Verdict.NOT_VERIFIED, named)
