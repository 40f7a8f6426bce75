"""Put what is wrong with settings into sentences that name the variable and where it is set."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

PREFIX = "MELA_"
SHOWN = 60  # characters of a value
_WAY_OUT = "docs/reference/settings.md lists all settings"
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "dict": "JSON of the form {...}",
}
_FIELD = re.compile(r'field "(\w+)" from source "\w+"')


def sentence_of(error: ValidationError | SettingsError, model: type[BaseModel], place: str) -> str:
    """Return what is wrong with each setting, in one sentence. Values of secrets are left out.

    place: the file that settings are read from besides the environment
    """
    if isinstance(error, SettingsError):
        found = _FIELD.search(str(error))
        name = variable([found[1]]) if found else "a setting"
        parts = _parts(model, found[1]) if found else ()
        hint = f", or its parts, as {variable(parts)}" if parts else ""
        wrong = [f"{name}{_where(name, place)} must be JSON{hint}"]
    else:
        wrong = [_wrong(one, model, place) for one in error.errors(include_url=False)]
    return f"{'; '.join(wrong)}. Correct it or leave it out; {_WAY_OUT}."


def variable(path: Sequence[int | str]) -> str:
    """Return the name of the variable that sets a field.

    >>> variable(["kafka", "partitions"])
    'MELA_KAFKA__PARTITIONS'
    """
    return PREFIX + "__".join(str(part) for part in path).upper()


def _wrong(one: ErrorDetails, model: type[BaseModel], place: str) -> str:
    depth, kind = _field(model, one["loc"])
    name = variable(one["loc"][:depth])
    entry = "".join(f", entry {part!r}," for part in one["loc"][depth:])
    value = str(one["input"])
    shown = f"{value[:SHOWN]}…" if len(value) > SHOWN else value
    but = "" if _may_be_secret(kind) else f", but is {shown!r}"
    return f"{name}{_where(name, place)}{entry} {_expected(one)}{but}"


def _expected(one: ErrorDetails) -> str:
    limits: Mapping[str, Any] = one.get("ctx", {})
    match one["type"]:
        case "greater_than_equal":
            return f"must be {limits['ge']:,} or more"
        case "greater_than":
            return f"must be more than {limits['gt']:,}"
        case "less_than_equal":
            return f"must be {limits['le']:,} or less"
        case "literal_error":
            return f"must be {limits['expected']}"
        case "string_too_short":
            return "must not be empty"
        case "value_error":
            return f"is wrong: {limits['error']}"
        case kind:
            wanted = _KINDS.get(kind.partition("_")[0])
            return f"must be {wanted}" if wanted else f"is wrong: {one['msg']}"


def _where(name: str, place: str) -> str:
    given = {key.upper() for key in os.environ}
    is_set = any(name == key or name.startswith(f"{key}__") for key in given)
    return " of the environment" if is_set else f" (an argument, or in {place})"


def _parts(model: type[BaseModel], field: str) -> tuple[str, ...]:
    """Return the path of a nested field's first part; empty for a field without parts."""
    kind: Any = model.model_fields[field].annotation
    return (field, next(iter(kind.model_fields))) if _is_group(kind) else ()


def _field(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[int, Any]:
    """Return how many parts of a path name a field, and the field's type."""
    kind: Any = model
    for depth, part in enumerate(path):
        field = kind.model_fields.get(str(part)) if _is_group(kind) else None
        if field is None:
            return depth, kind
        kind = field.annotation
    return len(path), kind


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _may_be_secret(kind: Any) -> bool:
    return _is_group(kind) or SecretStr.__name__ in str(kind)
