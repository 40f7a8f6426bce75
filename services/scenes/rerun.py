"""Stored results that no longer hold, and their scenes published again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backtests.simulate import provenance
from mela.settings import Settings
from messaging.publisher import Publisher
from services.scenes.publish import plan_scene
from services.strategies.all_strategies import all_strategies
from warehouse.database import transaction
from warehouse.results.stale import StaleResult, StaleScene, stale_results, stale_scenes
from warehouse.scenes import records


@dataclass(frozen=True, slots=True)
class Stale:
    """The results that no longer hold, and the scenes that answer with them."""

    results: tuple[StaleResult, ...]
    scenes: tuple[StaleScene, ...]


@dataclass(frozen=True, slots=True)
class Rerun:
    """A scene that was to be published again.

    rerun_id: its new id; None if it cannot be published again, for the reason `refused`
    is_new: whether it was sent now; False if it was planned under that id before
    """

    scene_id: UUID
    rerun_id: UUID | None
    is_new: bool = False
    refused: str | None = None


def find_stale(settings: Settings, *, scene_id: UUID | None = None) -> Stale:
    """Return what no longer holds: of all stored results, or of one scene's."""
    catalogue = all_strategies(settings)
    today = {name: provenance(name, None, catalogue) for name in catalogue}
    with transaction(settings) as connection:
        results = stale_results(connection, today, scene_id=scene_id)
        scenes = stale_scenes(connection, results, today, scene_id=scene_id)
    return Stale(tuple(results), tuple(scenes))


def rerun_scene(stale_scene: StaleScene, settings: Settings) -> Rerun:
    """Publish a scene again: the same content under a new id, marked as a re-run.

    Doing it twice publishes it once, because the id follows from the scene and from what made its
    results stale. Raises SceneInvalid if the scene is no longer valid.
    """
    if not stale_scene.can_rerun:
        is_over = stale_scene.status == "finished"
        why = "its strategy is gone" if is_over else f"it is {stale_scene.status}"
        return Rerun(stale_scene.scene_id, None, refused=why)
    content = {**stale_scene.content, "scene_id": str(stale_scene.rerun_id)}
    scene, plan = plan_scene(content, settings)
    with transaction(settings) as connection:
        receipt = records.announce(
            connection,
            scene,
            runs=plan.runs,
            skipped=plan.skipped,
            user_id=stale_scene.user_id,
            rerun_of=stale_scene.scene_id,
        )
    if receipt.outcome is records.PublicationStatus.REPEATED:
        return Rerun(stale_scene.scene_id, stale_scene.rerun_id)
    with Publisher(settings.kafka) as publisher:
        publisher.scene(scene)
    return Rerun(stale_scene.scene_id, stale_scene.rerun_id, is_new=True)
