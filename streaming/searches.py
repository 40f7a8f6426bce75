"""The report on a concluded search: trials from the warehouse, arithmetic from the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from backtests.strategy import Catalogue
from mela.candles import Candles
from mela.errors import SourceUnavailable
from mela.run import Run, instant_text
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from streaming import strategies
from streaming.clients import reader_of
from warehouse.database import transaction
from warehouse.results import holdouts
from warehouse.results import trials as recorded

if TYPE_CHECKING:
    from backtests.search.report import Trials

log = structlog.get_logger()


def report_on(
    scene_id: str, row: Mapping[str, Any], best: Mapping[str, Any] | None, settings: Settings
) -> dict[str, Any] | None:
    """Return what a scene's search has proved; None where it searched and validated nothing.

    row: of ops.scene; best: its best result overall. Raises where a service is away; what goes
    wrong otherwise is the report's `reason`, so that one strange scene does not stop all others.
    """
    if not any(row["content"].get(name) for name in ("search", "validation", "holdout")):
        return None
    try:
        scene = parse_scene(row["content"])
        catalogue = strategies.current(settings)
        report = _report(scene_id, scene, best, settings, catalogue)
        return orjson.loads(orjson.dumps(report, default=float))
    except (SQLAlchemyError, SourceUnavailable):
        raise
    except Exception as error:
        log.exception("search_not_judged", scene_id=scene_id)
        return {"recorded": True, "reason": f"it could not be judged: {error}"}


def short(report: Mapping[str, Any] | None, most_bytes: int) -> dict[str, Any] | None:
    """Return a report that fits into a message: the longest lists go first, the numbers stay."""
    if report is None:
        return None
    told = dict(report)
    for path in ("equity", "instruments"):
        if len(orjson.dumps(told)) <= most_bytes:
            break
        whole = told.get("walk_forward", {})
        told["walk_forward"] = {name: part for name, part in whole.items() if name != path}
    return told


def _report(
    scene_id: str,
    scene: Scene,
    best: Mapping[str, Any] | None,
    settings: Settings,
    catalogue: Catalogue,
) -> dict[str, Any]:
    from backtests.search import report as conclusion

    def series_of(run: Run) -> dict[str, Candles]:
        asked = run.interval, run.start, run.end, run.warmup, run.prices
        reader = reader_of(settings)
        return {name: reader.read(name, *asked).candles for name in run.instruments}

    def candles_of(run: Run) -> Candles:
        return series_of(run)[run.instrument]

    chosen: dict[str, list[Any]] = {}
    report: dict[str, Any] = {"recorded": True}
    if best is not None and _was_edited(best, catalogue):
        return {**report, "reason": f"{conclusion.CHANGED}. Publish it again under a new id."}
    if scene.validation is not None:
        with transaction(settings) as connection:
            windows = recorded.best_by_window(connection, scene_id, scene.rank_by)
        chosen = conclusion.chosen_by_window(scene, windows)
        report["walk_forward"] = conclusion.walk_forward(scene, chosen, candles_of, catalogue)
    winner = conclusion.winner_of(scene, best, chosen)
    if winner is None:
        return {**report, "reason": "no run of the scene has any metrics"}
    trials = _trials(scene_id, scene, winner, settings)
    report |= conclusion.judged(scene, winner, trials, series_of, catalogue)
    if scene.holdout is not None:
        opening = _open(scene_id, scene, winner, settings)
        report["holdout"] = {**conclusion.holdout(scene, winner, candles_of, catalogue), **opening}
    return report


def _trials(scene_id: str, scene: Scene, winner: Mapping[str, Any], settings: Settings) -> Trials:
    from backtests.search import report as conclusion

    limit = conclusion.models_for(winner["candles"])
    with transaction(settings) as connection:
        found = recorded.known(
            connection,
            scene_id,
            instruments=scene.instruments,
            strategies=_family(scene),
            dates=(scene.start, scene.searched_until),
            interval=winner["interval"],
            span=(_instant(winner["start"]), _instant(winner["end"])),
        )
        top = recorded.best_in_span(connection, scene_id, winner, scene.rank_by, limit)
    return conclusion.with_winner(
        conclusion.Trials(
            found.n_trials,
            sums=found.blocks[:, 0],
            squares=found.blocks[:, 1],
            counts=found.blocks[:, 2],
            own=found.own,
            top=top,
        ),
        winner,
    )


def _open(
    scene_id: str, scene: Scene, winner: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Record that the winner sees its holdout, before it does."""
    assert scene.holdout is not None  # noqa: S101  the caller asks only then
    with transaction(settings) as connection:
        opening = holdouts.open_once(
            connection,
            scene_id,
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


def _was_edited(result: Mapping[str, Any], catalogue: Catalogue) -> bool:
    name, digest = result["strategy"]["name"], result["strategy"]["digest"]
    return name not in catalogue or catalogue[name].digest != digest


def _family(scene: Scene) -> list[str]:
    """Return the strategies that a scene's runs are of."""
    names = scene.search.space.get("strategy.name") if scene.search else None
    return [str(name) for name in names] if isinstance(names, tuple) else [scene.strategy.name]


def _instant(said: str) -> datetime:
    return datetime.fromisoformat(said)
