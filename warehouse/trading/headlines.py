"""The headlines that were heard, each with when it was: nobody could act on it before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO ops.headline (source, headline_id, updated_at, published_at, received_at,
        available_at, headline, url, symbols)
    VALUES (:source, :headline_id, :updated_at, :published_at, :received_at,
        greatest(CAST(:updated_at AS timestamptz), CAST(:received_at AS timestamptz)),
        :headline, :url, :symbols)
    ON CONFLICT DO NOTHING
""")
_SINCE = text("""
    SELECT source, headline_id, updated_at, published_at, received_at, available_at, headline, url,
           symbols
    FROM ops.headline WHERE available_at >= :since
    ORDER BY available_at, source, headline_id, updated_at
""")


@dataclass(frozen=True, slots=True)
class StoredHeadline:
    """A headline as it was heard. available_at: the later of updated_at and received_at."""

    source: str
    headline_id: str
    updated_at: datetime
    published_at: datetime
    received_at: datetime
    available_at: datetime
    headline: str
    url: str
    symbols: tuple[str, ...]


def add(connection: Connection, headlines: Sequence[StoredHeadline]) -> None:
    """Store headlines; the first time that one was received counts."""
    rows = [
        {
            **{name: getattr(one, name) for name in StoredHeadline.__slots__},
            "symbols": list(one.symbols),
        }
        for one in headlines
    ]
    if rows:
        connection.execute(_ADD, rows)


def since(connection: Connection, at: datetime) -> list[StoredHeadline]:
    """Return the headlines that became available since then, in that order."""
    found: list[StoredHeadline] = []
    for row in connection.execute(_SINCE, {"since": at}):
        *head, symbols = row
        found.append(StoredHeadline(*head, symbols=tuple(symbols)))
    return found
