"""The lock between a pass of `mela prune` and the writers of answers.

A pass removes results that a new scene might be given at that very moment. Savers therefore hold a
lock together, and the pass holds it alone, for the milliseconds of one of its transactions
(`ops.prune_results`, migration 0020).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

LOCK = 1886680430  # as migration 0020 has it
_SHARED = text("SELECT pg_advisory_xact_lock_shared(:lock)")


def keep_pruning_out(connection: Connection) -> None:
    """Let nothing be pruned until this transaction ends.

    Rows that the next statement finds are not pruned until the transaction ends.
    """
    connection.execute(_SHARED, {"lock": LOCK})
