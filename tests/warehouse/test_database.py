"""warehouse/database.py: rows that are looked up by their keys."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import Connection, TextClause, event, text

from mela.settings import Settings
from warehouse.database import by_key, engine_for, transaction
from warehouse.results import finder

pytestmark = pytest.mark.integration
FILL = """
    CREATE TEMP TABLE answer (scene text, run integer, PRIMARY KEY (scene, run)) ON COMMIT DROP;
    INSERT INTO answer SELECT 'grid', run FROM generate_series(1, 30000) AS run;
    ANALYZE answer;
"""


def test_a_small_scene_beside_a_grid_is_looked_up(warehouse: Settings) -> None:
    with transaction(warehouse) as connection:
        connection.execute(text(FILL))
        asked = text(
            "EXPLAIN SELECT asked, (SELECT count(*) FROM answer WHERE scene = asked) "
            "FROM unnest(ARRAY['a', 'b']) AS asked"
        )
        before = plan(connection, asked)
        with by_key(connection):
            within = plan(connection, asked)
        assert plan(connection, asked) == before
    assert "Seq Scan on answer" in before
    assert "Seq Scan" not in within
    assert "answer_pkey" in within


def test_the_progress_of_scenes_is(warehouse: Settings) -> None:
    said: list[str] = []
    event.listen(
        engine_for(warehouse), "before_cursor_execute", lambda *given: said.append(given[2])
    )
    with transaction(warehouse) as connection:
        assert finder.progress(connection, [uuid4()]) == []
    assert [one for one in said if "SET LOCAL" in one] == [said[-3], said[-1]]
    assert "ops.scene_run" in said[-2]


def plan(connection: Connection, asked: TextClause) -> str:
    return "\n".join(connection.scalars(asked))
