"""Shared by the API's answers: the base model, and the spelling of instants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from mela.fields import Instant as AskedInstant
from mela.instants import instant_text

__all__ = ["Answer", "Asked", "AskedInstant", "Instant", "JsonObject", "Milliseconds"]

Instant = Annotated[
    datetime,
    PlainSerializer(instant_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Milliseconds = int  # since 1970 in UTC: in columns, where thousands of instants travel
JsonObject = dict[str, Any]  # a scene that may be wrong, or what differs from release to release


class Answer(BaseModel):
    """Base class of answers: frozen, and every field is always there."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )

    @classmethod
    def of(cls, found: object) -> Self:
        """Return the answer that says what a use case found: fields of the same names."""
        return cls.model_validate(found)


class Asked(BaseModel):
    """Base class of requests: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
