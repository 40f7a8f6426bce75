"""Files of models, kept for whoever executes what was planned: workers, sessions, recomputations.

They are named by their SHA-256, which every reader verifies.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_KEEP = text("""
    INSERT INTO ops.model_file (sha256, reference, content) VALUES (:sha, :reference, :content)
    ON CONFLICT DO NOTHING
""")
_FIND = text("SELECT content FROM ops.model_file WHERE sha256 = :sha")
_IS_KEPT = text("SELECT EXISTS (SELECT FROM ops.model_file WHERE sha256 = :sha)")
_NEWEST = text("SELECT reference FROM ops.model_file ORDER BY kept_at DESC LIMIT 1")


def keep(connection: Connection, sha: str, reference: str, content: bytes) -> None:
    """Keep a file. The first one of its hash stays."""
    connection.execute(_KEEP, {"sha": sha, "reference": reference, "content": content})


def find(connection: Connection, sha: str) -> bytes | None:
    """Return a file, not verified; None where none of this hash is kept."""
    found = connection.scalar(_FIND, {"sha": sha})
    return None if found is None else bytes(found)


def is_kept(connection: Connection, sha: str) -> bool:
    """Tell whether the file of a hash is kept."""
    return bool(connection.scalar(_IS_KEPT, {"sha": sha}))


def newest(connection: Connection) -> str | None:
    """Return the reference of the file that was kept last; None where there is none."""
    return connection.scalar(_NEWEST)
