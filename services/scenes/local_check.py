"""A scene and its plan, checked in this process, without any service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backtests.strategy import Catalogue
from mela.errors import SceneInvalid
from mela.grid import Plan, plan_runs
from mela.scene import Scene, parse_scene
from mela.scene_check import with_others

Pin = Callable[[Scene], Scene]


def as_it_is(scene: Scene) -> Scene:
    """Return a scene whose models are pinned already, or that has none."""
    return scene


def parsed_scene(document: Any, catalogue: Catalogue, *, max_runs: int) -> Scene:
    """Return a scene that is not planned yet. Raises SceneInvalid as `checked_scene` does."""
    try:
        return parse_scene(document)
    except SceneInvalid as first:
        raise _with_others(first, document, catalogue, max_runs) from first.__cause__


def checked_scene(
    document: Any, catalogue: Catalogue, *, max_runs: int, pin: Pin = as_it_is
) -> tuple[Scene, Plan]:
    """Return a scene and its plan.

    document: the scene as JSON values, or a Scene. pin: gives the scene that is planned, with the
    files that its models are; what is returned is the scene as it was given
    Raises SceneInvalid with the first fault and, as its `others`, what else is wrong.
    """
    try:
        scene = document if isinstance(document, Scene) else parse_scene(document)
        return scene, plan_runs(pin(scene), catalogue, max_runs=max_runs)
    except SceneInvalid as first:
        values = document.content() if isinstance(document, Scene) else document
        raise _with_others(first, values, catalogue, max_runs, pin) from first.__cause__


def _with_others(
    first: SceneInvalid, document: Any, catalogue: Catalogue, max_runs: int, pin: Pin = as_it_is
) -> SceneInvalid:
    return with_others(
        first, document, lambda scene: plan_runs(pin(scene), catalogue, max_runs=max_runs)
    )
