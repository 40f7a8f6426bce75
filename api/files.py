"""Answers that are files to keep."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from fastapi.responses import StreamingResponse

LINES = 50  # sent at once


def csv_file(lines: Iterable[str] | Iterable[bytes], name: str) -> StreamingResponse:
    """Return CSV as a file, sent as it comes: lines of text, or pieces of bytes."""
    return StreamingResponse(
        _gathered(lines),
        media_type="text/csv; charset=utf-8",
        headers=attachment(name),
    )


def attachment(name: str) -> dict[str, str]:
    """Return the headers by which browsers keep an answer as a file."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


def _gathered(lines: Iterable[str] | Iterable[bytes]) -> Iterator[bytes]:
    iterator = iter(lines)
    while part := list(itertools.islice(iterator, LINES)):
        yield b"".join(one.encode() if isinstance(one, str) else one for one in part)
