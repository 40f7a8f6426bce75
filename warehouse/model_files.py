"""Files of models, kept for whoever executes what was planned: workers, sessions, recomputations.

They are named by their SHA-256, which every reader verifies.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_KEEP = text("""
    INSERT INTO ops.model_file (sha256, reference, content) VALUES (:sha, :reference, :content)
    ON CONFLICT (sha256) DO UPDATE SET kept_at = now()
""")
_FIND = text("SELECT content FROM ops.model_file WHERE sha256 = :sha")
_IS_KEPT = text("SELECT EXISTS (SELECT FROM ops.model_file WHERE sha256 = :sha)")
_NAME = text("UPDATE ops.model_file SET kept_at = now() WHERE sha256 = :sha RETURNING sha256")
_IDLE = text("SELECT count(*), coalesce(sum(bytes), 0) FROM ops.idle_model_files(:days)")
_PRUNE = text("SELECT * FROM ops.prune_model_files(:days)")
_NEWEST = text("SELECT reference FROM ops.model_file ORDER BY kept_at DESC LIMIT 1")


def keep(connection: Connection, sha: str, reference: str, content: bytes) -> None:
    """Keep a file, named now. The first one of its hash stays."""
    connection.execute(_KEEP, {"sha": sha, "reference": reference, "content": content})


def find(connection: Connection, sha: str) -> bytes | None:
    """Return a file, not verified; None where none of this hash is kept."""
    found = connection.scalar(_FIND, {"sha": sha})
    return None if found is None else bytes(found)


def is_kept(connection: Connection, sha: str) -> bool:
    """Tell whether the file of a hash is kept."""
    return bool(connection.scalar(_IS_KEPT, {"sha": sha}))


def name_again(connection: Connection, sha: str) -> bool:
    """Note that a file is named now, so that no pruning takes it; tell whether it is kept."""
    return connection.scalar(_NAME, {"sha": sha}) is not None


def prune(connection: Connection, days: int, *, dry_run: bool) -> tuple[int, int]:
    """Remove, or only count, files that nothing named for so many days; return count and bytes.

    An alias, a stored run, a scene under way and a session name one.
    """
    count, size = connection.execute(_IDLE if dry_run else _PRUNE, {"days": days}).one()
    return int(count), int(size)


def newest(connection: Connection) -> str | None:
    """Return the reference of the file that was named last; None where there is none."""
    return connection.scalar(_NEWEST)
