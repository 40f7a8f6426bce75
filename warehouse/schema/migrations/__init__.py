"""Alembic's environment and versions; run through `warehouse.schema.migrate`."""
