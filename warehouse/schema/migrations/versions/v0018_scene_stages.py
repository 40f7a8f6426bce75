"""When a scene reached each stage of its way."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

CHANGES = """
CREATE TABLE ops.scene_stage (
    scene_id uuid NOT NULL,
    stage text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT scene_stage_pkey PRIMARY KEY (scene_id, stage),
    CONSTRAINT scene_stage_scene_id_fkey FOREIGN KEY (scene_id)
        REFERENCES ops.scene (scene_id) ON DELETE CASCADE,
    CONSTRAINT scene_stage_stage_check CHECK (
        stage IN ('published', 'taken', 'recorded', 'concluding', 'mirroring', 'mirrored'))
);
COMMENT ON TABLE ops.scene_stage
    IS 'when a scene first reached a stage of its way. Grain: scene_id, stage';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)
