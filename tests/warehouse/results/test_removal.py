"""The SQL of docs/operations.md removes what it says and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mela.run import Run
from mela.settings import REPOSITORY, Settings
from tests.warehouse.given import a_document, a_run, a_scene, rows
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results import writer as saving

pytestmark = pytest.mark.integration
PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
LONG_AGO = datetime.now(UTC) - timedelta(days=800)


def remove(settings: Settings, heading: str) -> None:
    """Execute the page's statements below a heading, as they stand."""
    found = re.search(rf"### {heading}\n.*?```sql\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    statements = [one for one in found[1].split(";") if one.strip() not in ("", "BEGIN", "COMMIT")]
    with transaction(settings) as connection:
        for statement in statements:
            connection.execute(text(statement))


def asked(settings: Settings, *runs: Run, age: bool, status: str = "finished") -> str:
    """Store a scene and its answers, with a curve of a trade and two values each."""
    scene_id = a_scene(settings, runs=len(runs))
    at = LONG_AGO if age else datetime.now(UTC)
    documents = [a_document(run, scene_id, computed_at=at.isoformat()) for run in runs]
    with transaction(settings) as connection:
        assert saving.save(connection, documents) == []
        connection.execute(
            text(
                "UPDATE ops.scene SET received_at = :at, planned_at = :at, finished_at = :at, "
                "status = :status WHERE scene_id = :id"
            ),
            {"at": at, "status": status, "id": scene_id},
        )
        for document in documents:
            key = {"key": document["result_key"]}
            connection.execute(
                text(
                    "INSERT INTO ops.trade (result_key, seq, entry_at, exit_at, size, entry_price, "
                    "exit_price, fees, profit, exit_reason) VALUES (:key, 0, '2024-01-02Z', "
                    "'2024-01-02Z', 1, 1, 1, 0, 0, 'signal') ON CONFLICT DO NOTHING"
                ),
                key,
            )
            connection.execute(
                text(
                    "INSERT INTO ops.equity (result_key, opened_at, equity) VALUES "
                    "(:key, '2024-01-02Z', 1), (:key, '2024-01-02T01:00Z', 2) "
                    "ON CONFLICT DO NOTHING"
                ),
                key,
            )
    return scene_id


def counted(settings: Settings, run: Run) -> tuple[int, ...]:
    """Return how many runs, results, trades and values of curves there are of a run."""
    [row] = rows(
        settings,
        "SELECT (SELECT count(*) FROM ops.run WHERE run_key = :key),"
        " (SELECT count(*) FROM ops.result WHERE run_key = :key),"
        " (SELECT count(*) FROM ops.trade JOIN ops.result r USING (result_key)"
        " WHERE run_key = :key),"
        " (SELECT count(*) FROM ops.equity JOIN ops.result r USING (result_key)"
        " WHERE run_key = :key)",
        key=run.run_key,
    )
    return tuple(row)


def test_old_curves_go_and_their_results_stay(warehouse: Settings) -> None:
    old, young = a_run(fast=3), a_run(fast=4)
    scene_id = asked(warehouse, old, age=True)
    asked(warehouse, young, age=False)

    remove(warehouse, "Remove old curves")

    assert counted(warehouse, old) == (1, 1, 0, 0)
    assert counted(warehouse, young) == (1, 1, 1, 2)
    with transaction(warehouse) as connection:
        assert len(results.of_scene(connection, scene_id)) == 1


def test_old_scenes_go_with_what_only_they_asked(warehouse: Settings) -> None:
    alone, shared, young = a_run(fast=5), a_run(fast=6), a_run(fast=7)
    old = asked(warehouse, alone, shared, age=True)
    new = asked(warehouse, shared, young, age=False)
    again = asked(warehouse, young, age=False)
    rerun = "UPDATE ops.scene SET rerun_of = :old WHERE scene_id = :new RETURNING 1"
    with transaction(warehouse) as connection:
        connection.execute(text(rerun), {"old": old, "new": again})

    remove(warehouse, "Remove old scenes")

    left = rows(warehouse, "SELECT scene_id::text, rerun_of FROM ops.scene")
    assert {(one, None) for one in (new, again)} <= {tuple(row) for row in left}
    assert old not in {row[0] for row in left}
    assert counted(warehouse, alone) == (0, 0, 0, 0)
    assert counted(warehouse, shared) == (1, 1, 1, 2)
    assert counted(warehouse, young) == (1, 1, 1, 2)


def test_a_scene_that_opened_a_holdout_stays_and_so_does_one_under_way(warehouse: Settings) -> None:
    opened, running = a_run(fast=8), a_run(fast=9)
    seen = asked(warehouse, opened, age=True)
    under_way = asked(warehouse, running, age=True, status="planned")
    with transaction(warehouse) as connection:
        connection.execute(
            text(
                "INSERT INTO ops.holdout (scene_id, instruments, interval, strategies, start_at, "
                "end_at, run_key) VALUES (:scene, '{binance:BTCUSDT}', '1h', '{sma_cross}', "
                "'2024-01-02Z', '2024-01-03Z', :run)"
            ),
            {"scene": seen, "run": opened.run_key},
        )

    remove(warehouse, "Remove old scenes")

    left = {row[0] for row in rows(warehouse, "SELECT scene_id::text FROM ops.scene")}
    assert {seen, under_way} <= left
    assert counted(warehouse, opened) == (1, 1, 1, 2)
    assert counted(warehouse, running) == (1, 1, 1, 2)
