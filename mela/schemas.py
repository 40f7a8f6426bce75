"""JSON Schemas of what is published and of what comes back."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel

from mela.result import Result
from mela.scene import Scene

Document = Literal["scene", "result"]
DOCUMENTS: tuple[Document, ...] = get_args(Document)
_MODELS = {"scene": Scene, "result": Result}


_SPELLED = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema(what: Document) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document, made from the model that validates it.

    >>> json_schema("scene")["required"]
    ['instruments', 'interval', 'start', 'end', 'strategy']
    """
    body = _MODELS[what].model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_with_bounds(body)}


def params_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a strategy's parameters."""
    return _with_bounds(model.model_json_schema(by_alias=True))


def _with_bounds(part: Any) -> Any:
    """Return a schema with the bounds that pydantic left in its own words, as of Whole numbers."""
    if isinstance(part, list):
        return [_with_bounds(each) for each in part]
    if not isinstance(part, dict):
        return part
    rest = {key: _with_bounds(value) for key, value in part.items() if key not in _SPELLED}
    bounds = {_SPELLED[key]: value for key, value in part.items() if key in _SPELLED}
    return {**bounds, **rest}
