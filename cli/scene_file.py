"""Reading a scene from YAML or JSON, and checking it as far as that goes without the stack."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import yaml

from cli.yaml_text import read_yaml
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.scene import Scene, parse_scene
from mela.settings import Settings


def read_scene(path: Path, settings: Settings) -> tuple[Scene, Plan]:
    """Return the scene of a file, and its plan. Raises SceneInvalid."""
    from backtests.strategies import refresh  # loads the engine

    scene = scene_of(path)
    return scene, plan_runs(scene, refresh(settings.packages), max_runs=settings.max_runs)


def scene_of(path: Path) -> Scene:
    """Return the scene of a file, its space not yet looked at. Raises SceneInvalid."""
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        sentence = f"{path} cannot be read as YAML or JSON: {why}"
        raise SceneInvalid(RejectionCode.NOT_JSON, None, sentence) from error
    return parse_scene(document)


def with_id(scene: Scene) -> Scene:
    """Return the scene with an id, minted where it has none."""
    return scene if scene.scene_id else scene.model_copy(update={"scene_id": uuid4()})
