"""A search is evaluated in one place, whatever keeps its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtests.local import Bench, execute, whole_series
from backtests.search.evaluate import evaluate_search
from backtests.search.memory_store import MemoryStore
from backtests.strategies import CATALOGUE
from mela.candles import Candles
from mela.grid import plan_runs
from mela.run import Run, to_ms
from mela.scene import Scene, parse_scene
from tests.backtests.search.swings import SCENE, read

GRID = {"kind": "grid", "space": {"strategy.params.fast": [3, 6]}}


class WatchedStore(MemoryStore):
    """Notes when the holdout is opened, and when candles behind its start are asked for."""

    def __init__(self, scene: Scene, documents: list[dict[str, Any]], bench: Bench) -> None:
        super().__init__(scene, documents, bench.series_of)
        assert scene.holdout is not None
        self._unseen_ms = to_ms(scene.holdout.start)
        self.events: list[str] = []

    def open_holdout(self, winner: Mapping[str, Any]) -> Mapping[str, Any]:
        self.events.append("opened")
        return {"reopened": 0}

    def series_of(self, run: Run) -> Mapping[str, Candles]:
        if to_ms(run.end) > self._unseen_ms:
            self.events.append("seen")
        return super().series_of(run)


def executed(**change: Any) -> tuple[Scene, list[dict[str, Any]], Bench]:
    scene = parse_scene({**SCENE, "search": GRID, **change})
    bench = Bench(whole_series(read))
    done = execute(scene, plan_runs(scene, CATALOGUE, max_runs=100), bench)
    return scene, done.documents, bench


def test_an_opening_is_recorded_before_the_winner_sees_its_holdout() -> None:
    """A process that ends in between has then said too much, never too little."""
    scene, documents, bench = executed(holdout={"start": "2023-02-20T00:00:00Z"})
    store = WatchedStore(scene, documents, bench)

    report = evaluate_search(scene, store, CATALOGUE)

    assert store.events == ["opened", "seen"]
    assert report is not None
    assert report.holdout is not None
    assert report.holdout.reopened == 0


def test_a_best_run_of_an_edited_strategy_is_not_evaluated() -> None:
    scene, documents, bench = executed()
    edited = [{**one, "strategy": {**one["strategy"], "digest": "0" * 64}} for one in documents]

    report = evaluate_search(scene, MemoryStore(scene, edited, bench.series_of), CATALOGUE)

    assert report is not None
    assert report.document().keys() == {"recorded", "reason"}
    assert "Publish it again under a new id" in str(report.reason)


def test_the_best_of_no_results_is_nobody() -> None:
    scene, _, bench = executed()

    report = evaluate_search(scene, MemoryStore(scene, [], bench.series_of), CATALOGUE)

    reason = "no run of the scene has any metrics"
    assert report is not None
    assert report.document() == {"recorded": False, "reason": reason}
