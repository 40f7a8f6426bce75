"""What pages of scenes need: their order, and the few results without metrics.

A page of scenes begins where the one before ended. Runs that failed are counted for every scene of
a page; without an index the answers of all runs would be looked at.
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"

INDEXES = """
CREATE INDEX scene_received_at_idx ON ops.scene (received_at, scene_id);
CREATE INDEX result_without_metrics_idx ON ops.result (result_key)
    WHERE status NOT IN ('succeeded', 'ruined');
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(INDEXES)
