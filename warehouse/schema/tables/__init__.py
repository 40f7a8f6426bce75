"""The tables of raw and ops as SQLAlchemy sees them; `migrations/` makes them. dbt makes marts."""

from warehouse.schema.tables import market, quality, results, retention, scenes
from warehouse.schema.tables.base import Base

__all__ = ["Base", "market", "quality", "results", "retention", "scenes"]
