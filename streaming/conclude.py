"""Query 4: a scene whose runs are all recorded gets its winners' curves, MLflow, and its end.

Order of writes: curves → the holdout's opening → MLflow (found again by its tags) → set finished_at
→ send `finished` → checkpoint. If finished_at is set, only `finished` is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from backtests.metrics.result_warnings import (
    NO_OUT_OF_SAMPLE,
    NO_OUT_OF_SAMPLE_SAID,
    lacks_out_of_sample,
)
from backtests.simulate import error_message
from backtests.strategy import Catalogue
from mela.curve import ALL_CURVES_UP_TO
from mela.errors import MessageInvalid, RejectionCode
from mela.messages import MessagePosition, Progress, State
from mela.outcome import WITH_METRICS
from mela.search_report import EndWarning, SceneEnding
from mela.settings import Settings
from messaging.codec import decode_progress
from messaging.publisher import Publisher
from services.runs.recompute import Changed, recompute
from streaming import mirror, searches, strategies
from streaming.clients import reader_of
from streaming.poison import is_away
from streaming.tracking import Concluded
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes
from warehouse.scenes import stages
from warehouse.scenes.stages import Stage
from warehouse.scenes.stored_scene import StoredScene

log = structlog.get_logger()
MANY_RUNS, FIRST_RUNS = 10_000, 200  # from so many runs on, the best ones are noted in order


class ProgressMessage(NamedTuple):
    """A message of `mela.progress` as it came."""

    value: bytes | None
    source: MessagePosition


class Recorded(NamedTuple):
    """Scenes that messages call recorded to the last run, and messages that cannot be read.

    under_way: scenes of which some runs may not be asked for yet: searches that learn among them
    """

    scenes: dict[str, ProgressMessage]
    refused: list[tuple[ProgressMessage, MessageInvalid]]
    under_way: set[str]


def recorded_scenes(messages: Iterable[ProgressMessage]) -> Recorded:
    """Return the scenes that some messages of mela.progress call recorded to the last run."""
    found = Recorded({}, [], set())
    for message in messages:
        try:
            progress = decode_progress(message.value)
        except MessageInvalid as refused:
            found.refused.append((message, refused))
            continue
        if progress.state is State.RECORDED and progress.recorded == progress.runs:
            found.scenes[str(progress.scene_id)] = message
        elif progress.state in (State.PLANNED, State.RECORDED) and progress.batch is None:
            found.under_way.add(str(progress.scene_id))
    return found


def refuse(message: ProgressMessage, why: MessageInvalid, publisher: Publisher) -> None:
    """Send a message to mela.rejected."""
    log.warning("progress_rejected", source=message.source.key, field=why.field)
    publisher.rejected(message.value, message.source, why)


def conclude_recorded(
    scene_id: str, message: ProgressMessage, settings: Settings, publisher: Publisher
) -> None:
    """Conclude the scene that a message calls recorded, or refuse the message if it is not so."""
    with transaction(settings) as connection:
        counted = results.progress(connection, [scene_id])
    if counted and counted[0].recorded + counted[0].cancelled >= counted[0].runs:
        conclude_scene(scene_id, settings, publisher)
        return
    found = f"{counted[0].recorded} of {counted[0].runs}" if counted else "no such scene"
    sentence = f"expected a scene whose runs are all recorded, but the warehouse has {found}."
    refused = MessageInvalid(RejectionCode.INVALID_FIELD, "recorded", sentence)
    refuse(message, refused, publisher)
    publisher.flush()


def conclude_scene(scene_id: str, settings: Settings, publisher: Publisher) -> None:
    """Bring a fully recorded scene to its end. May be repeated; raises where a service is away."""
    with transaction(settings) as connection:
        scene = scenes.get(connection, scene_id)
        if scene is not None and scene.finished_at is None:
            stages.reached(connection, [scene_id], {Stage.CONCLUDING: None})
    if scene is None or scene.status in {"cancelled", "rejected"}:
        return
    if scene.finished_at is None:
        finish(scene_id, scene, settings)
        with transaction(settings) as connection:
            scene = scenes.get(connection, scene_id) or scene
    ending = scene.ending
    publisher.progress(
        Progress(
            scene_id=UUID(scene_id),
            state=State.FINISHED,
            at=scene.finished_at or datetime.now(UTC),
            runs=scene.runs,
            recorded=scene.runs,
            skipped=scene.skipped,
            cached=scene.cached,
            best=ending.best,
            mlflow_run_id=scene.mlflow_run_id,
            warnings=tuple(warning.document() for warning in ending.warnings),
            report=searches.short(ending.report_document(), settings.kafka.max_message_bytes // 4),
        )
    )
    publisher.flush()


def finish(scene_id: str, scene: StoredScene, settings: Settings) -> None:
    """Store what a recorded scene has found: curves, warnings, report, MLflow, its end."""
    with transaction(settings) as connection:
        found = results.best_of(connection, scene_id, scene.ranking)
        first: list[str] = []
        if scene.runs >= MANY_RUNS:
            first = results.ranked_keys(connection, scene_id, scene.ranking, FIRST_RUNS)
        if scene.runs <= ALL_CURVES_UP_TO:
            wanted = results.of_scene(connection, scene_id)
        else:
            wanted = list(found.by_instrument.values())  # the best overall is one of them
    best = [found.overall, *found.by_instrument.values()] if found.overall else []
    warnings = [
        *choice_warnings(scene.content, scene.runs, found.overall),
        *store_curves(wanted, settings),
    ]
    report = searches.report_on(scene, found.overall, settings)
    mirroring_at = datetime.now(UTC)
    run_id = mirror.log_scene(Concluded(scene_id, scene, best, warnings, report), settings)
    ending = {"best": best, "warnings": warnings} | ({"report": report} if report else {})
    ending |= {"first": first} if first else {}
    document = SceneEnding.model_validate(ending).model_dump(mode="json", exclude_unset=True)
    with transaction(settings) as connection:
        scenes.set_finished(connection, scene_id, best=document, mlflow_run_id=run_id)
        if run_id is not None:
            times = {Stage.MIRRORING: mirroring_at, Stage.MIRRORED: datetime.now(UTC)}
            stages.reached(connection, [scene_id], times)
    if run_id is not None:
        mirror.continue_later(scene_id)
    log.info("scene_finished", scene_id=scene_id, runs=scene.runs, warnings=len(warnings))


def give_up(scene_id: str, settings: Settings, publisher: Publisher, error: Exception) -> None:
    """End a scene that cannot be concluded, with the reason. Raises where a service is away."""
    sentence = f"the scene could not be concluded ({': '.join(error_message(error))})."
    warning = EndWarning(run_key="", code="not_concluded", sentence=sentence)
    document = SceneEnding(best=(), warnings=(warning,)).model_dump(mode="json", exclude_unset=True)
    with transaction(settings) as connection:
        scenes.set_finished(connection, scene_id, best=document, mlflow_run_id=None)
    conclude_scene(scene_id, settings, publisher)


def choice_warnings(
    content: Mapping[str, Any], runs: int, best: Mapping[str, Any] | None
) -> list[EndWarning]:
    """Return the sentence on how a scene's best run was chosen."""
    if best is None or not lacks_out_of_sample(content, runs):
        return []
    return [
        EndWarning(run_key=best["run_key"], code=NO_OUT_OF_SAMPLE, sentence=NO_OUT_OF_SAMPLE_SAID)
    ]


def store_curves(wanted: Sequence[Mapping[str, Any]], settings: Settings) -> list[EndWarning]:
    """Rerun results that lack a curve and store it; warn where today's candles answer otherwise."""
    eligible = {
        result["result_key"]: result for result in wanted if result["status"] in WITH_METRICS
    }
    with transaction(settings) as connection:
        lacking = results.without_curve(connection, list(eligible))
    catalogue = strategies.current(settings)
    warnings = [_try_curve(eligible[key], settings, catalogue) for key in sorted(lacking)]
    return [warning for warning in warnings if warning is not None]


def _try_curve(
    result: Mapping[str, Any], settings: Settings, catalogue: Catalogue
) -> EndWarning | None:
    """Store a result's curve; what is wrong with it or its candles becomes a warning."""
    try:
        return _store_curve(result, settings, catalogue)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("curve_not_stored", run_key=result["run_key"])
        sentence = f"no curve was stored for this run ({': '.join(error_message(error))})."
        return EndWarning(run_key=result["run_key"], code="curve_not_stored", sentence=sentence)


def _store_curve(
    result: Mapping[str, Any], settings: Settings, catalogue: Catalogue
) -> EndWarning | None:
    found = recompute(result, settings, reader_of(settings), catalogue)
    if isinstance(found, Changed):
        return _changed(result, found.why)
    with transaction(settings) as connection:
        results.save_curve(connection, result["result_key"], found.curve)
    return None


def _changed(result: Mapping[str, Any], why: str) -> EndWarning:
    sentence = f"no curve was stored for this run: {why}. Publish the scene again under a new id."
    log.warning("candles_changed", run_key=result["run_key"], why=why)
    return EndWarning(run_key=result["run_key"], code="candles_changed", sentence=sentence)
