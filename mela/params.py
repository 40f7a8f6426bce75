"""Parameters of a strategy: JSON values, perhaps nested, and the one spelling of those that count.

Most strategies have a few numbers. A composite has parts with parameters of their own, so that a
value may be a list or an object, and a path as `parts.0.params.fast` means one inside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError, WithJsonSchema
from pydantic_core import (
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    PydanticUndefined,
    to_jsonable_python,
)

from mela.canonical import canonical_json, canonical_scalar
from mela.fields import SCALARS

DEEPEST = 16


def _json(value: Any) -> Any:
    return _checked(value, ())


Json = Annotated[Any, AfterValidator(_json), WithJsonSchema({})]


def canonical_params(part: BaseModel) -> dict[str, bytes]:
    """Return the canonical JSON of each field of a model that is not at its default.

    Nested models leave their defaults out likewise, so that a new optional field of a part changes
    the run_key of no composite.
    """
    fields: dict[str, bytes] = {}
    defaults = _defaults(type(part))
    for name, value in part.__dict__.items():
        default = defaults[name]
        if isinstance(value, SCALARS):
            if value != default:
                fields[name] = canonical_scalar(value)
            continue
        spelled = canonical_json(_changed(value))
        if default is PydanticUndefined or spelled != canonical_json(_changed(default)):
            fields[name] = spelled
    return fields


def at_path(params: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return parameters with another value at a path; those given stay as they are.

    Raises KeyError where the path leads into nothing, so that it could never be meant.

    >>> at_path({"parts": [{"name": "a"}]}, "parts.0.params.fast", 3.0)
    {'parts': [{'name': 'a', 'params': {'fast': 3.0}}]}
    """
    head, _, rest = path.partition(".")
    if not rest:
        return {**params, head: value}
    return {**params, head: _within(params.get(head, {}), rest, value)}


def breaks_a_rule_of_the_whole(fault: ErrorDetails) -> bool:
    """Tell whether a fault is of a model (the strategy's, or a part's), not of one of its fields.

    >>> from mela.fields import Part
    >>> breaks_a_rule_of_the_whole({"type": "value_error", "loc": (), "msg": "", "input": Part()})
    True
    """
    return not fault["loc"] or (
        fault["type"] == "value_error" and isinstance(fault["input"], Mapping | BaseModel)
    )


def _within(inside: Any, path: str, value: Any) -> Any:
    head, _, rest = path.partition(".")
    if isinstance(inside, Mapping) and not head.isdecimal():
        return at_path(inside, path, value)
    if not isinstance(inside, list | tuple) or not head.isdecimal() or int(head) >= len(inside):
        raise KeyError(head)
    items: list[Any] = list(inside)
    items[int(head)] = _within(items[int(head)], rest, value) if rest else value
    return items


@lru_cache(maxsize=256)
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {
        name: field.default
        if field.default_factory is None
        else field.get_default(call_default_factory=True, validated_data={})
        for name, field in model.model_fields.items()
    }


def _changed(value: Any) -> Any:
    """Return a value as JSON has it, its models without the fields at their default."""
    if isinstance(value, BaseModel):
        return {
            name: _changed(getattr(value, name))
            for name in type(value).model_fields
            if name in canonical_params(value)
        }
    if isinstance(value, Mapping):
        return {str(name): _changed(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_changed(part) for part in value]
    return value if isinstance(value, SCALARS) else to_jsonable_python(value)


def _checked(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return a JSON value with its numbers as doubles. Raises ValidationError where it is none."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return _double(value, path)
    if len(path) > DEEPEST:
        raise _fault(f"expected at most {DEEPEST} levels of lists and objects", path, value)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise _fault("expected text as the name of each field", path, name)
        return {name: _checked(part, (*path, name)) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_checked(part, (*path, place)) for place, part in enumerate(value)]
    raise _fault("expected a number, text, truth value, null, list or object", path, value)


def _double(value: float, path: tuple[str | int, ...]) -> float:
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        raise _fault("expected a finite number", path, value)
    return double


def _fault(sentence: str, path: tuple[str | int, ...], value: Any) -> ValidationError:
    detail = PydanticCustomError("json_value", sentence)  # pyright: ignore[reportArgumentType]
    line = InitErrorDetails(type=detail, loc=path, input=value)
    return ValidationError.from_exception_data("params", [line])
