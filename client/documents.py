"""A scene as a user gives it: values, YAML, a file, or a `Scene`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from mela.errors import RejectionCode, SceneInvalid
from mela.instants import instant_text
from mela.scene import Scene
from mela.yaml_text import read_yaml

SceneGiven = Scene | Mapping[str, Any] | str | Path
SUFFIXES = (".yaml", ".yml", ".json")


def document_of(scene: SceneGiven) -> dict[str, Any]:
    """Return a scene as JSON values.

    scene: a `Scene`, a mapping of its fields, the path of a file, or YAML or JSON as text. A line
        that ends in .yaml, .yml or .json is a path
    Raises SceneInvalid for what cannot be read, or is no mapping.
    """
    if isinstance(scene, Scene):
        content = scene.content()
        return content if scene.scene_id is None else {"scene_id": str(scene.scene_id), **content}
    found = scene if isinstance(scene, Mapping) else _read(scene)
    if not isinstance(found, Mapping):
        kind = "nothing" if found is None else type(found).__name__
        sentence = f"expected an object with a scene's fields, but found {kind}."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
    return _plain(found)


def _read(scene: str | Path) -> Any:
    text, what = str(scene), "the text"
    if isinstance(scene, Path) or ("\n" not in text and text.lower().endswith(SUFFIXES)):
        what = text
        try:
            text = Path(scene).read_text(encoding="utf-8")
        except OSError as error:
            raise _unreadable(what, error.strerror or str(error)) from error
        except UnicodeDecodeError as error:
            raise _unreadable(what, "it is not in UTF-8") from error
    try:
        return read_yaml(text)
    except yaml.YAMLError as error:
        raise _unreadable(what, " ".join(str(error).split())) from error


def _unreadable(what: str, why: str) -> SceneInvalid:
    sentence = f"{what} cannot be read as YAML or JSON: {why}"
    return SceneInvalid(RejectionCode.NOT_JSON, None, sentence)


def _plain(value: Any) -> Any:
    """Return values as JSON has them: YAML and notebooks know dates, and tuples."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):  # without a zone it stays as written, for the check to name it
        return instant_text(value) if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else value
