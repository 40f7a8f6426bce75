"""The bytes of a message of `mela.scenes`, as an object that can be kept, and its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from mela.errors import RejectionCode, SceneInvalid
from mela.messages import MessagePosition
from mela.repeated_keys import repeated_key
from mela.scene import parse_scene

NUL = "\x00"
MOST_LEVELS = 32  # of a scene: it needs seven


def read_document(raw: bytes, limit: int) -> Mapping[str, Any]:
    """Return the object of a message of at most so many bytes. Raises SceneInvalid."""
    if len(raw) > limit:
        sentence = f"a scene has at most {limit:,} bytes, but this one has {len(raw):,}."
        raise SceneInvalid(RejectionCode.TOO_LARGE, None, sentence)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise SceneInvalid(RejectionCode.NOT_JSON, None, f"expected JSON, but {error}.") from error
    if not isinstance(document, dict):
        parse_scene(document)  # raises with the kind that it is
    if _is_deeper(document, MOST_LEVELS):
        sentence = f"expected at most {MOST_LEVELS} levels of lists and objects, but found more."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
    if again := repeated_key(raw):
        sentence = "expected this key once in its object, but found it again. Leave one out."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, again, sentence)
    return document


def _is_deeper(document: Mapping[str, Any] | list[Any], most: int) -> bool:
    """Tell whether a document has more levels, level by level: recursion would end with the stack.

    >>> _is_deeper({"a": [1]}, 2), _is_deeper({"a": [[1]]}, 2)
    (False, True)
    """
    level: list[Any] = [document]
    for _ in range(most):
        parts = (one.values() if isinstance(one, dict) else one for one in level)
        level = [each for part in parts for each in part if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def read_id(document: Mapping[str, Any], source: MessagePosition) -> UUID:
    """Return the id that a scene states, or that its place gives it. Raises SceneInvalid."""
    stated = document.get("scene_id")
    if stated is None:
        return source.scene_id
    try:
        return UUID(stated)
    except (ValueError, AttributeError, TypeError) as error:
        sentence = f"expected a UUID, but found {stated!r:.100}."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, "scene_id", sentence) from error


def refuse_nul(document: Mapping[str, Any]) -> None:
    """Raise SceneInvalid for text that no column of Postgres can hold."""
    for name, value in document.items():
        if _has_nul(name) or _has_nul(value):
            sentence = "expected text without the character U+0000, but found it."
            field = name.replace(NUL, "\\u0000")
            raise SceneInvalid(RejectionCode.INVALID_FIELD, field, sentence)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return NUL in value
    if isinstance(value, Mapping):
        return any(_has_nul(name) or _has_nul(part) for name, part in value.items())
    return isinstance(value, list) and any(_has_nul(part) for part in value)
