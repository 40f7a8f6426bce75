"""Results of the engine in this process, in the API's words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from pydantic import ValidationError

from api.models.catalogue import LookaheadCheck, StrategyDetail, StrategyRow
from api.models.events import SceneEvent
from api.models.runs import CandleColumns, RunCandles
from api.models.scene_runs import RunRow, SceneReport
from api.models.scenes import BestMetrics, SceneDetail, SceneStateName, StatusCount, Varied
from backtests.charts.surface import value_at
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.grid import Plan
from mela.metrics import METRICS, rank
from mela.outcome import WITH_METRICS
from mela.run import Run, to_ms
from mela.scene import Scene
from mela.search_report import SearchReport
from mela.verdict import Verdict
from services.runs.run_series import merged
from services.scenes.scene_report import in_words

Document = Mapping[str, Any]
MOST_VALUES = 200


class LocalScene:
    """A scene of this process: its plan, then its results, best first.

    rows: result documents; report: on its search, once it has ended
    """

    def __init__(self, scene_id: UUID, scene: Scene, plan: Plan, name: str | None) -> None:
        self.scene_id = scene_id
        self.scene = scene
        self.plan = plan
        self.name = name or scene.name
        self.note = ""
        self.tags: tuple[str, ...] = ()
        self.state: SceneStateName = "planned"
        self.runs, self.skipped = plan.runs, plan.skipped
        self.recorded = 0
        self.version = 0
        self.rows: Sequence[Document] = ()
        self.best: Document | None = None
        self.failed = 0
        self.report: SearchReport | None = None
        self.received_at = datetime.now(UTC)
        self.ended_at: datetime | None = None

    @property
    def varied(self) -> list[str]:
        """Return the paths that the scene's search varies."""
        return sorted(self.scene.search.space) if self.scene.search else []

    def add(self, part: Sequence[Document]) -> None:
        """Take note of further results."""
        ranked = rank([*([self.best] if self.best else []), *part], self.scene.ranking)
        first = ranked[0] if ranked else None
        self.best = first if first and first[self.scene.rank_by] is not None else None
        self.failed += sum(row["status"] not in WITH_METRICS for row in part)

    def step(self, recorded: int, state: SceneStateName | None = None) -> SceneEvent:
        """Note how far the scene is, and return that as an event."""
        self.recorded, self.version = recorded, self.version + 1
        self.state = state or self.state
        if self.state != "planned":
            self.ended_at = datetime.now(UTC)
        return self.event()

    def event(self) -> SceneEvent:
        """Return how far the scene is."""
        return SceneEvent(
            scene_id=self.scene_id,
            version=self.version,
            state=self.state,
            name=self.name,
            runs=self.runs,
            skipped=self.skipped,
            recorded=self.recorded,
            cached=0,
            failed=self.failed,
            cancelled=self.runs - self.recorded if self.state == "cancelled" else 0,
            best=self.best[self.scene.rank_by] if self.best else None,
            rate_per_s=None,
            remaining_s=None,
        )

    def detail(self) -> SceneDetail:
        """Return the scene as the API does."""
        content, best = self.scene.content(), self.best
        event = self.event()
        metrics = BestMetrics.model_fields
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row["status"]] = counts.get(row["status"], 0) + 1
        return SceneDetail(
            **{name: getattr(event, name) for name in _SHARED},
            kind="backtest",
            training=None,
            owner=None,
            is_mine=True,
            is_private=True,
            tags=self.tags,
            strategies=(self.scene.strategy.name,),
            instruments=self.scene.instruments,
            interval=self.scene.interval.value,
            start=content["start"],
            end=content["end"],
            mode=self.scene.mode,
            rank_by=self.scene.rank_by,
            best_run_key=best["run_key"] if best else None,
            best_metrics=BestMetrics(**{name: best[name] for name in metrics}) if best else None,
            received_at=self.received_at,
            planned_at=self.received_at,
            finished_at=self.ended_at if self.state == "finished" else None,
            cancelled_at=self.ended_at if self.state == "cancelled" else None,
            rejection=None,
            scene=content,
            yaml=scene_yaml(self.scene),
            note=self.note,
            varied=tuple(Varied(path=path, values=self._values(path)) for path in self.varied),
            statuses=tuple(StatusCount(status=one, runs=count) for one, count in counts.items()),
            failures=(),
            warnings=(),
            rerun_of=None,
            mlflow_url=None,
            pruned=None,
        )

    def _values(self, path: str) -> tuple[Any, ...]:
        values = [value_at(row, path) for row in self.rows]
        return tuple(list(dict.fromkeys(values))[:MOST_VALUES])


_SHARED = (
    *("scene_id", "version", "state", "name", "runs", "skipped", "recorded", "cached", "failed"),
    *("cancelled", "best", "rate_per_s", "remaining_s"),
)


def scene_yaml(scene: Scene) -> str:
    """Return a scene as YAML."""
    return yaml.safe_dump(scene.content(), sort_keys=False, allow_unicode=True)


def run_row(document: Document, rank: int, scene: LocalScene) -> RunRow:
    """Return a result as a row of its scene. rank: its place among the results, from 1."""
    has_metrics = document["status"] in WITH_METRICS
    error = document["error"]
    return RunRow(
        run_key=document["run_key"],
        rank=rank if has_metrics else None,
        is_best=rank == 1 and has_metrics,
        instruments=document["instruments"],
        interval=document["interval"],
        start=document["start"],
        end=document["end"],
        strategy=document["strategy"]["name"],
        params={path: value_at(document, path) for path in scene.varied},
        strategy_params=document["params"],
        status=document["status"],
        cached=False,
        has_curve=has_metrics,
        metrics={name: document[name] for name in METRICS},
        warnings=tuple(document["warnings"]),
        error=f"{error['class']}: {error['sentence']}" if error else None,
    )


def scene_report(scene: LocalScene) -> SceneReport:
    """Return what a scene's search has proved, as far as its own runs tell."""
    found = in_words(scene.report, is_finished=scene.state == "finished")
    return SceneReport(**{name: getattr(found, name) for name in SceneReport.model_fields})


def run_candles(candles: Candles, run: Run, points: int) -> RunCandles:
    """Return the candles of a run's span, merged to at most so many, highs and lows kept."""
    span = candles.span(to_ms(run.start), to_ms(run.end), 0)
    each = max(1, -(-len(span) // points))
    return RunCandles(
        instrument=run.instrument,
        interval=run.interval.value,
        start=run.start,
        end=run.end,
        total=len(span),
        is_reduced=each > 1,
        candles_per_point=each,
        candles=columns_of(span, each),
    )


def columns_of(span: Candles, each: int = 1) -> CandleColumns:
    """Return candles as columns, each `each` of them merged into one."""
    columns = merged(span, 0, len(span), each)
    return CandleColumns(**{name: column.tolist() for name, column in columns.items()})


def strategy_row(strategy: Strategy, lookahead: Verdict, scenes: int) -> StrategyRow:
    """Return a strategy as a list shows it. scenes: how many named it."""
    return StrategyRow(
        name=strategy.name,
        summary=strategy.doc,
        origin="mela" if strategy.signals.__module__.startswith("backtests.") else "yours",
        digest=strategy.digest,
        params=tuple(strategy.params.model_fields),
        lookahead=lookahead.value,
        scenes=scenes,
    )


def strategy_detail(strategy: Strategy, row: StrategyRow) -> StrategyDetail:
    """Return a strategy with all that is known of it without a warehouse."""
    signals = inspect.unwrap(strategy.signals)
    try:
        model = strategy.params()
    except ValidationError:  # a parameter without a default
        warmup, defaults = None, {}
    else:
        warmup, defaults = strategy.warmup(model), model.model_dump(mode="json")
    return StrategyDetail(
        **row.model_dump(),
        description=inspect.getdoc(signals) or "",
        schema_=strategy.params.model_json_schema(),
        defaults=defaults,
        warmup=warmup,
        inputs="",
        source=inspect.getsource(inspect.getmodule(signals) or signals),
        file=Path(inspect.getsourcefile(signals) or "").name,
        check=LookaheadCheck(
            verdict=row.lookahead,
            checked_at=None,
            message="`mela check` looks for lookahead.",
            coverage=(),
        ),
        record=(),
        runs=0,
    )
