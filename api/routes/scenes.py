"""Scenes: check, publish, list, read, change, cancel, ask again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from api.caller import Reader, Trader
from api.conditional import etag_of, unchanged, with_etag
from api.context import AppSettings
from api.models.answers import AskedInstant
from api.models.problem import faults_of
from api.models.scenes import (
    Failure,
    MissingCandles,
    Parsed,
    Rerun,
    SceneChange,
    SceneDetail,
    ScenePage,
    SceneRow,
    SceneToCheck,
    SceneToPublish,
    StatusCount,
    TrainingAnswer,
    Validation,
    Varied,
    Warned,
    YamlToParse,
)
from mela.settings import Settings
from services.scenes import dry_run, scene_pages, scene_requests
from services.scenes.scene_pages import SceneInFull
from services.scenes.scene_requests import Card
from services.scenes.scene_states import SceneState
from services.scenes.trainings import TrainingState

router = APIRouter(tags=["scenes"])

Words = Annotated[str | None, Query(max_length=200)]
OnceKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
At = Annotated[AskedInstant | None, Query(description="an instant with its zone")]


@router.post("/scenes/validate", response_model=Validation)
def validate_scene(asked: SceneToCheck, caller: Reader, settings: AppSettings) -> Validation:
    """Say what is wrong with a scene, how many runs it has, and what it would take."""
    found = dry_run.dry_run(settings, caller, asked.scene)
    return Validation(
        is_valid=not found.faults,
        faults=faults_of(found.faults),
        runs=found.runs,
        skipped=found.skipped,
        stored_runs=found.stored,
        expected_seconds=found.expected_seconds,
        missing_candles=tuple(MissingCandles.of(one) for one in found.missing),
        warnings=found.warnings,
        yaml=found.yaml,
    )


@router.post("/scenes/parse", response_model=Parsed)
def parse_scene(asked: YamlToParse, _: Reader) -> Parsed:
    """Read a scene written as YAML."""
    found = dry_run.parse(asked.yaml)
    return Parsed(scene=found.scene, faults=faults_of(found.faults))


@router.post("/scenes", status_code=202, response_model=SceneRow)
def publish_scene(
    asked: SceneToPublish,
    request: Request,
    caller: Trader,
    settings: AppSettings,
    idempotency_key: OnceKey = None,
) -> SceneRow:
    """Publish a scene. The same Idempotency-Key publishes it once."""
    card = Card(asked.name, asked.note, asked.tags, asked.is_private)
    scene_id = scene_requests.publish(
        settings, caller, asked.scene, card, idempotency_key=idempotency_key
    )
    request.state.audit_subject = str(scene_id)
    return SceneRow.of(scene_pages.row(settings, caller, scene_id))


@router.get("/scenes", response_model=ScenePage)
def list_scenes(
    caller: Reader,
    settings: AppSettings,
    state: Annotated[list[SceneState] | None, Query()] = None,
    strategy: Words = None,
    instrument: Words = None,
    interval: Words = None,
    start: At = None,
    end: At = None,
    tag: Words = None,
    text: Annotated[str | None, Query(max_length=200, description="in name, note, tags")] = None,
    owner: Words = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> ScenePage:
    """List the scenes that the caller may see, the newest first.

    start, end: only scenes whose span meets [start, end)
    """
    found = scene_pages.list_page(
        settings,
        caller,
        states=state or (),
        strategy=strategy,
        instrument=instrument,
        interval=interval,
        start=start,
        end=end,
        tag=tag,
        words=text,
        owner=owner,
        limit=limit,
        cursor=cursor,
    )
    return ScenePage.of(found)


@router.get("/scenes/{scene_id}", response_model=SceneDetail)
def get_scene(
    scene_id: UUID, caller: Reader, settings: AppSettings, request: Request, response: Response
) -> SceneDetail | Response:
    """Return a scene, with how far it is. Answers 304 to an If-None-Match that still holds."""
    found = scene_pages.in_full(settings, caller, scene_id)
    changed = found.changed_at.timestamp() if found.changed_at else 0
    shown = _in_full(settings, found)
    later = shown.mlflow_url, shown.pruned  # what comes to a scene that has ended
    tag = etag_of(found.row.version, changed, found.row.is_mine, later)
    return unchanged(request, tag) or with_etag(response, tag, shown)


@router.patch("/scenes/{scene_id}", response_model=SceneDetail)
def change_scene(
    scene_id: UUID, asked: SceneChange, caller: Trader, settings: AppSettings
) -> SceneDetail:
    """Change the name, the note, the tags of a scene, and who sees it. Only its owner may."""
    card = Card(asked.name, asked.note, asked.tags, asked.is_private)
    scene_requests.change(settings, caller, scene_id, card)
    return _in_full(settings, scene_pages.in_full(settings, caller, scene_id))


@router.post("/scenes/{scene_id}/cancel", response_model=SceneDetail)
def cancel_scene(scene_id: UUID, caller: Trader, settings: AppSettings) -> SceneDetail:
    """Cancel a scene: runs that are not executed yet will not be. Its owner and admins may."""
    scene_requests.stop(settings, caller, scene_id)
    return _in_full(settings, scene_pages.in_full(settings, caller, scene_id))


@router.post("/scenes/{scene_id}/rerun", status_code=202, response_model=Rerun)
def rerun_scene(
    scene_id: UUID, caller: Trader, settings: AppSettings, idempotency_key: OnceKey = None
) -> Rerun:
    """Publish a scene again under a new id. Answers that still hold come from the store.

    The same Idempotency-Key publishes it once.
    """
    made = scene_requests.ask_again(settings, caller, scene_id, idempotency_key=idempotency_key)
    return Rerun(scene_id=made, is_new=True)


def _in_full(settings: Settings, found: SceneInFull) -> SceneDetail:
    return SceneDetail(
        **SceneRow.of(found.row).__dict__,
        scene=dict(found.scene),
        yaml=found.yaml,
        note=found.note,
        varied=tuple(Varied.of(one) for one in found.varied),
        rate_per_s=found.rate_per_s,
        remaining_s=found.remaining_s,
        statuses=tuple(StatusCount(status=s, runs=n) for s, n in found.statuses.items()),
        failures=tuple(
            Failure(
                runs=one.runs, kind=one.kind, message=one.sentence, file=one.file, line=one.line
            )
            for one in found.failures
        ),
        warnings=tuple(Warned.of(one) for one in found.warnings),
        rerun_of=found.rerun_of,
        mlflow_url=scene_pages.mlflow_page(settings, found.mlflow_run_id),
        pruned=found.pruned,
        training=None if found.training is None else _training(found.training),
    )


def _training(found: TrainingState) -> TrainingAnswer:
    error, sentence = found.error or (None, None)
    return TrainingAnswer(
        model=found.name,
        doing=found.doing,
        version=found.version,
        report=found.report,
        error=error,
        sentence=sentence,
    )
