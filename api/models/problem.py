"""Errors as RFC 9457 spells them."""

from __future__ import annotations

from api.models.answers import Answer


class Fault(Answer):
    """Something wrong with a scene. field: its path, `search.space.…`; null: of the whole."""

    code: str
    field: str | None
    message: str


class Problem(Answer):
    """What went wrong. code: for programs; faults: of a scene, all that are known."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    faults: tuple[Fault, ...] = ()
    instance: str | None = None
