"""Answers that are files to keep."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from fastapi.responses import StreamingResponse

LINES = 200  # sent at once


def csv_file(lines: Iterable[str], name: str) -> StreamingResponse:
    """Return lines of CSV as a file, sent as they come."""
    return StreamingResponse(
        _gathered(lines),
        media_type="text/csv; charset=utf-8",
        headers=attachment(name),
    )


def attachment(name: str) -> dict[str, str]:
    """Return the headers by which browsers keep an answer as a file."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


def _gathered(lines: Iterable[str]) -> Iterator[str]:
    iterator = iter(lines)
    while part := list(itertools.islice(iterator, LINES)):
        yield "".join(part)
