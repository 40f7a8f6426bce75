"""The types of a scene's fields: strict numbers, instants in UTC, frozen parts, alternatives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

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

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGITS = re.compile(r"[-+]?[\d.]+")
SCALARS = (int, float, str, type(None))  # a truth value is an int
_SCALAR_TYPES = frozenset((bool, *SCALARS))


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: Any) -> Any:
    if isinstance(value, str) and _DAY.fullmatch(value):
        return f"{value}T00:00:00Z"
    # pydantic takes digits for seconds since 1970, and 20230101 is meant as a day
    if isinstance(value, datetime) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
        return value
    if isinstance(value, date):  # as YAML reads a day
        return datetime.combine(value, time(), UTC)
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


def field_values(model: BaseModel, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
    """Return the values of a model's fields, those of nested models too.

    mode: `json` for JSON values only
    """
    values = model.__dict__
    if _SCALAR_TYPES.issuperset(map(type, values.values())):
        return {**values}  # nothing to go into; pydantic's way there is the longer one
    return model.model_dump(mode=mode)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: a model as the object that it is spelled as."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


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
