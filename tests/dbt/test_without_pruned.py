"""The star after a pruning: answers leave, trials stay. The last file, as it changes the star."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from mela.settings import PruneSettings, Settings
from tests.dbt.conftest import Dbt, Star, look
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.retention.thinning import thin

pytestmark = pytest.mark.integration
BUILT = "dim_strategy+"  # and what it drops when it is made anew
ENDED = """
    UPDATE ops.scene SET status = 'finished', planned_at = received_at,
        finished_at = now() - interval '400 days'
    WHERE status IN ('received', 'planned', 'finished')
"""


def test_what_was_pruned_leaves_the_star_and_no_trial_is_lost(
    star: Star, star_warehouse: Settings, dbt: Dbt
) -> None:
    rules = PruneSettings(scene_days=365, curve_days=365, keep_best=1)
    settings = star_warehouse.model_copy(update={"prune": rules})
    before = look(settings)
    with transaction(settings) as connection:
        connection.execute(text(ENDED))
    went = thin(settings)
    assert went.results > 0

    dbt.run("build", "--select", BUILT, "--exclude-resource-type", "unit_test")

    after = look(settings)
    counted, were = (one.answers["trials_by_family"] for one in (after, before))
    assert (counted.columns, counted.rows) == (were.columns, were.rows)
    left = {row["result_key"] for row in after.tables["fct_run"]}
    assert left == {key for (key,) in rows(settings, "SELECT result_key FROM ops.result")}
    assert len({row["result_key"] for row in before.tables["fct_run"]} - left) == went.results
    for fact in ("fct_trade", "fct_equity"):
        assert {row["result_key"] for row in after.tables[fact]} <= left
        assert {row["result_key"] for row in before.tables[fact]} - left
