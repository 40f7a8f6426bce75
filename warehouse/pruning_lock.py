"""What keeps a pass of `mela prune` and those who store answers out of each other's way.

A pass removes results that a new scene might be given at that very moment. Savers therefore hold a
lock together, and the pass holds it alone, for the milliseconds of one of its transactions
(`ops.prune_results`, migration 0020).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

LOCK = 1886680430  # as migration 0020 has it
_SHARED = text("SELECT pg_advisory_xact_lock_shared(:lock)")


def keep_pruning_out(connection: Connection) -> None:
    """Let nothing be pruned until this transaction ends. What the next statement finds, stays."""
    connection.execute(_SHARED, {"lock": LOCK})
