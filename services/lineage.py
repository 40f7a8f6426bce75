"""Trace a result back to the loads that brought its candles."""

from __future__ import annotations

from mela.errors import InputInvalid
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.results.lineage import Lineage, lineage


def trace_result(key: str, settings: Settings) -> list[Lineage]:
    """Return where the results of a key come from, newest first.

    key: a result_key or run_key, or its first digits. Raises InputInvalid for a key that is none,
    that nothing has, or that fits several results.
    """
    try:
        with transaction(settings) as connection:
            return lineage(connection, key.lower())
    except ValueError as error:
        raise InputInvalid("key", f"{error}.") from error
