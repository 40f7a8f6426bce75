"""Trace a result back to the loads that brought its candles."""

from __future__ import annotations

from mela.errors import InputInvalid, NotFound
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.results.lineage import Lineage, UnknownKey, lineage
from warehouse.retention import pruned


def trace_result(key: str, settings: Settings) -> list[Lineage]:
    """Return where the results of a key come from, newest first.

    key: a result_key or run_key, or its first digits. Raises InputInvalid for a key that is none,
    that nothing has, or that fits several results, and NotFound for one that was pruned.
    """
    key = key.lower()
    with transaction(settings) as connection:
        try:
            return lineage(connection, key)
        except UnknownKey as error:
            if (gone := pruned.of_key(connection, key)) is not None:
                raise NotFound(gone.sentence) from error
            raise InputInvalid("key", f"{error}.") from error
        except ValueError as error:
            raise InputInvalid("key", f"{error}.") from error
