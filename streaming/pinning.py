"""The models of a scene, pinned when the planner takes it first, and kept for who executes it.

The pinned references are stored with the scene. A planner that takes it again, after a crash or on
a second message, reads that: whoever became champion in between changes no run of it.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from mela.errors import InputInvalid, NotFound, RejectionCode, SceneInvalid
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from services.models.model_files import ModelFiles
from services.models.pinning import is_unpinned, pinned_scene, references_of
from warehouse.database import transaction
from warehouse.scenes import records as scenes

Pin = Callable[[UUID, Scene], Scene]


def as_it_is(_: UUID, scene: Scene) -> Scene:
    """Return a scene whose models are pinned already, or that has none."""
    return scene


def pinned_for_good(scene_id: UUID, scene: Scene, settings: Settings) -> Scene:
    """Return the scene that is planned, and keep the files of its models in the warehouse.

    Raises SceneInvalid for a model that cannot be asked, also where MLflow alone knows it and does
    not answer, and what `is_away` knows where the warehouse does not.
    """
    if not references_of(scene):
        return scene
    if is_unpinned(scene):
        with transaction(settings) as connection:
            before = scenes.planned_content(connection, scene_id, scene.content_hash())
        if before is not None:
            scene = parse_scene({**before, "scene_id": str(scene_id)})
        scene = pinned_scene(scene, settings)
    files = ModelFiles(settings)
    for reference, path in references_of(scene).items():
        try:
            files.keep(reference)
        except (InputInvalid, NotFound) as error:
            raise SceneInvalid(RejectionCode.INVALID_FIELD, path, str(error)) from error
    return scene
