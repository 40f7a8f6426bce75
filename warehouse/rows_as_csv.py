"""Rows of a query as a file of CSV, which Postgres itself writes, as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import text

from mela.settings import Settings
from warehouse.database import engine_for

_PIECES = 32  # that wait for a slow reader; Postgres then waits too
_END = b""


class _Gone(Exception):
    """The reader went away."""


class _Pipe:
    """Takes what COPY writes, and gives it to a reader in another thread."""

    def __init__(self) -> None:
        self.pieces: queue.Queue[bytes | BaseException] = queue.Queue(_PIECES)
        self.is_gone = threading.Event()

    def write(self, piece: bytes) -> int:
        self.put(bytes(piece))
        return len(piece)

    def put(self, piece: bytes | BaseException) -> None:
        while not self.is_gone.is_set():
            try:
                self.pieces.put(piece, timeout=1.0)
            except queue.Full:
                continue
            return
        raise _Gone


def rows_as_csv(settings: Settings, query: str, values: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the rows of a query as CSV, without a line of names; memory stays flat.

    query: with `:name` for each of the values. Raises as SQLAlchemy does.
    """
    pipe = _Pipe()
    thread = threading.Thread(
        target=_copy, args=(settings, query, values, pipe), name="mela-csv", daemon=True
    )
    thread.start()
    try:
        while (piece := pipe.pieces.get()) != _END:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        pipe.is_gone.set()


def _copy(settings: Settings, query: str, values: Mapping[str, Any], pipe: _Pipe) -> None:
    try:
        with engine_for(settings).connect() as connection:
            compiled = text(query).bindparams(**values).compile(connection.engine)
            cursor: Any = connection.connection.cursor()
            filled = cursor.mogrify(str(compiled), compiled.params).decode()
            cursor.copy_expert(f"COPY ({filled}) TO STDOUT (FORMAT csv)", pipe, size=2**16)
        pipe.put(_END)
    except _Gone:
        return
    except Exception as error:  # noqa: BLE001  it is raised where the rows are read
        if not pipe.is_gone.is_set():
            pipe.put(error)
