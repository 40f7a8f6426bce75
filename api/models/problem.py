"""Errors as RFC 9457 spells them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from api.models.answers import Answer

if TYPE_CHECKING:  # it loads the engine, which clients that read these models do without
    from services.scenes.validate import Fault as Found


class Fault(Answer):
    """Something wrong with a scene. field: its path, `search.space.…`; null: of the whole."""

    code: str
    field: str | None
    message: str


class Problem(Answer):
    """A fault of a request. code: for programs; faults: of a scene, all that are known."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    faults: tuple[Fault, ...] = ()
    instance: str | None = None


def faults_of(found: Iterable[Found]) -> tuple[Fault, ...]:
    """Return what a dry run found, as the API says it."""
    return tuple(Fault(code=one.code.value, field=one.path, message=one.sentence) for one in found)
