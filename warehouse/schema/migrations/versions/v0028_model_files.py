"""Files of the models that scenes and sessions name, for processes that may not ask MLflow."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"

TABLES = r"""
CREATE TABLE ops.model_file (
    sha256 text NOT NULL,
    reference text NOT NULL,
    content bytea NOT NULL,
    kept_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT model_file_pkey PRIMARY KEY (sha256),
    CONSTRAINT model_file_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
ALTER TABLE ops.model_file ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.model_file IS
    'the file of a model that a scene or a session named: it never changes. Grain: sha256';
COMMENT ON COLUMN ops.model_file.reference IS 'how it was named first, pinned';
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Take it away: MLflow has the files of what is registered there."""
    op.get_bind().exec_driver_sql("DROP TABLE ops.model_file")
