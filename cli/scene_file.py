"""Reading a scene from a YAML or JSON file, and checking it as far as possible offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from cli import completion
from mela.errors import RejectionCode, SceneInvalid
from mela.scene import Scene
from mela.settings import Settings
from mela.yaml_text import read_yaml

if TYPE_CHECKING:
    from mela.grid import Plan

SceneFile = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        metavar="SCENE.yaml",
        help="YAML or JSON.",
        autocompletion=completion.scene_files,
    ),
]


def read_scene(path: Path, settings: Settings) -> tuple[Scene, Plan]:
    """Return the scene of a file and its plan. Raises SceneInvalid."""
    from services.scenes.publish import plan_scene  # loads the engine

    return plan_scene(read_document(path), settings)


def with_terms(document: Any, terms: Mapping[str, Any] | None) -> Any:
    """Return a document with some fields in the place of its own."""
    return {**document, **(terms or {})} if isinstance(document, dict) else document


def read_document(path: Path) -> Any:
    """Return the values of a YAML or JSON file. Raises SceneInvalid if it is neither."""
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        sentence = f"{path} cannot be read as YAML or JSON: {why}"
        raise SceneInvalid(RejectionCode.NOT_JSON, None, sentence) from error
