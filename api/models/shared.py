"""What all models share: names in snake_case, times as RFC 3339 in UTC with a `Z`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(_text, return_type=str, when_used="json")]


class Answer(BaseModel):
    """What the API answers. It may be made from a dataclass's fields."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Question(BaseModel):
    """What the API takes; a field that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
