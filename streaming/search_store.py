"""The recorded results of one scene, kept in the warehouse, as a `SearchStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backtests.search.trials import Trials, models_for, with_winner
from mela.candles import Candles
from mela.run import Run, instant_text
from mela.scene import Scene
from mela.settings import Settings
from streaming.clients import reader_of
from warehouse.candles.run_series import read_run
from warehouse.database import transaction
from warehouse.results import holdouts
from warehouse.results import trials as recorded


class WarehouseStore:
    """Reads results, trials and candles from the warehouse, and records openings of holdouts.

    best: the scene's best result overall, which its end has found already
    """

    is_recorded = True

    def __init__(
        self, scene_id: str, scene: Scene, best: Mapping[str, Any] | None, settings: Settings
    ) -> None:
        self._scene_id, self._scene, self._best = scene_id, scene, best
        self._settings = settings

    def best(self) -> Mapping[str, Any] | None:
        """Return the best result, or None if no run has any metrics."""
        return self._best

    def best_by_window(self) -> Sequence[Mapping[str, Any]]:
        """Return the best result of each instrument and span."""
        with transaction(self._settings) as connection:
            return recorded.best_by_window(connection, self._scene_id, self._scene.ranking)

    def trials(self, winner: Mapping[str, Any]) -> Trials:
        """Return what every scene has recorded for the winner's question."""
        limit = models_for(winner["candles"])
        scene = self._scene
        with transaction(self._settings) as connection:
            found = recorded.known(
                connection,
                self._scene_id,
                instruments=scene.instruments,
                strategies=_family(scene),
                dates=(scene.start, scene.searched_until),
                interval=winner["interval"],
                span=(_instant(winner["start"]), _instant(winner["end"])),
            )
            top = recorded.best_in_span(connection, self._scene_id, winner, scene.ranking, limit)
        trials = Trials(
            found.n_trials,
            sums=found.blocks[:, 0],
            squares=found.blocks[:, 1],
            counts=found.blocks[:, 2],
            own=found.own,
            top=top,
        )
        return with_winner(trials, winner)

    def open_holdout(self, winner: Mapping[str, Any]) -> Mapping[str, Any]:
        """Record that the winner sees its holdout; a scene that comes again opens no more."""
        scene = self._scene
        assert scene.holdout is not None  # noqa: S101  the caller asks only then
        with transaction(self._settings) as connection:
            opening = holdouts.open_once(
                connection,
                self._scene_id,
                instruments=scene.instruments,
                interval=scene.interval.value,
                strategies=_family(scene),
                span=(scene.holdout.start, scene.end),
                run_key=winner["run_key"],
            )
        return {
            "opened_at": instant_text(opening.opened_at),
            "opened_by": opening.opened_by,
            "reopened": opening.reopened,
        }

    def series_of(self, run: Run) -> Mapping[str, Candles]:
        """Return the candles of each instrument of a run's account, with those of its inputs."""
        return read_run(reader_of(self._settings), run).candles


def _family(scene: Scene) -> list[str]:
    """Return the names of the strategies that a scene runs."""
    names = scene.search.space.get("strategy.name") if scene.search else None
    return [str(name) for name in names] if isinstance(names, tuple) else [scene.strategy.name]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
