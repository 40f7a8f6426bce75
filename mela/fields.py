"""The types of a scene's fields: strict numbers, instants in UTC, frozen parts, alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

SCALARS = (int, float, str, type(None))  # a truth value is an int


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: Any) -> Any:
    if isinstance(value, datetime | str):
        return value
    raise ValueError("expected an instant in ISO 8601 with its zone, as 2023-01-01T00:00:00Z")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected an instant of the years 1 to 9999 in UTC") from error


Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_integral), Field(strict=True, ge=-(2**53), le=2**53)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_in_utc)]


class Part(BaseModel):
    """Base class of the models that make up a scene: frozen, and unknown fields are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def one_of(*kinds: type[Part]) -> Any:
    """Return a union of models that `kind` tells apart; without a `kind`, the first is meant."""
    first = kinds[0].model_fields["kind"].default

    def kind(value: Any) -> Any:
        found = (
            value.get("kind", first) if isinstance(value, Mapping) else getattr(value, "kind", 0)
        )
        return f"kind={found}"

    tagged = (Annotated[each, Tag(f"kind={each.model_fields['kind'].default}")] for each in kinds)
    names = ", ".join(str(each.model_fields["kind"].default) for each in kinds)
    discriminator = Discriminator(
        kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"expected kind to be one of {names}",
    )
    return Annotated[reduce(or_, tagged), discriminator]
