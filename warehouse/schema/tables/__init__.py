"""Tables of raw, ops and app as SQLAlchemy sees them; `migrations/` makes them, dbt makes marts."""

from warehouse.schema.tables import (
    accounts,
    alerts,
    drift,
    market,
    models,
    quality,
    results,
    retention,
    scenes,
    trading,
)
from warehouse.schema.tables.base import Base

__all__ = [
    "Base",
    "accounts",
    "alerts",
    "drift",
    "market",
    "models",
    "quality",
    "results",
    "retention",
    "scenes",
    "trading",
]
