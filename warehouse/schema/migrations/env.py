"""Alembic's entry: run the versions on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

from warehouse.schema.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema="ops",
    include_schemas=True,
)
context.run_migrations()
