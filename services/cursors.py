"""Cursors of pages: where the last row of a page stands in its order, as a text to give back."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from mela.errors import InputInvalid

T = TypeVar("T")


def cursor_of(place: object, kind: TypeAdapter[T]) -> str:
    """Return the cursor of a place."""
    return base64.urlsafe_b64encode(kind.dump_json(place)).decode().rstrip("=")  # pyright: ignore[reportArgumentType]


def place_of(cursor: str | None, kind: TypeAdapter[T]) -> T | None:
    """Return the place that a cursor means; None without one. Raises InputInvalid."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return kind.validate_json(base64.urlsafe_b64decode(padded))
    except (ValidationError, ValueError, binascii.Error) as error:
        raise InputInvalid("cursor", "expected the next_cursor of the page before.") from error
