"""warehouse/results/seals.py: a result that was changed after it was stored is noticed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from mela.settings import Settings
from tests.warehouse.given import a_document, a_run, a_scene
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results import lineage
from warehouse.results.seals import broken_seals

pytestmark = pytest.mark.integration


def stored(settings: Settings, *fasts: int) -> tuple[str, list[str]]:
    scene_id = a_scene(settings, runs=len(fasts))
    documents = [a_document(a_run(fast=fast), scene_id) for fast in fasts]
    with transaction(settings) as connection:
        assert results.save(connection, documents) == []
    return scene_id, [document["result_key"] for document in documents]


def broken(settings: Settings, scene_id: str | None = None) -> list[tuple[str, bool]]:
    with transaction(settings) as connection:
        found, _ = broken_seals(connection, scene_id=scene_id)
    return [(one.result_key, one.is_sealed) for one in found]


@pytest.mark.parametrize(
    "change",
    [
        "sharpe = sharpe + 1e-15",
        "sharpe = NULL",
        "trades = trades + 1",
        "status = 'ruined'",
        "candles_revision = 77",
        "warnings = ARRAY['gaps']",
        "blocks = set_byte(blocks, 383, 99)",
        "computed_at = computed_at + interval '1 microsecond'",
    ],
)
def test_an_update_of_a_stored_result_is_noticed(warehouse: Settings, change: str) -> None:
    scene_id, [first, second] = stored(warehouse, 5, 7)
    assert broken(warehouse) == []
    update = text(f"UPDATE ops.result SET {change} WHERE result_key = :key")
    with transaction(warehouse) as connection:
        connection.execute(update, {"key": first})

    assert broken(warehouse) == broken(warehouse, scene_id) == [(first, True)]
    with transaction(warehouse) as connection:
        [one] = lineage.lineage(connection, first)
        [other] = lineage.lineage(connection, second)
    assert (one.result["changed_since"], other.result["changed_since"]) == (True, False)


def test_a_result_whose_seal_is_gone_is_noticed(warehouse: Settings) -> None:
    _, [key] = stored(warehouse, 5)
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.result SET seal = NULL"))
    assert broken(warehouse) == [(key, False)]


def test_a_result_that_comes_without_a_seal_is_sealed_by_the_database(warehouse: Settings) -> None:
    _, [key, other] = stored(warehouse, 5, 7)
    again = f"{int(key, 16) ^ 1:064x}"
    with transaction(warehouse) as connection:
        connection.execute(
            text("""
                CREATE TEMP TABLE another ON COMMIT DROP AS
                SELECT * FROM ops.result WHERE result_key = :key;
                UPDATE another SET result_key = :again, seal = NULL;
                INSERT INTO ops.result SELECT * FROM another
            """),
            {"key": key, "again": again},
        )
    assert broken(warehouse) == []
    with transaction(warehouse) as connection:
        connection.execute(
            text("UPDATE ops.result SET trades = trades + 1 WHERE result_key <> :other"),
            {"other": other},
        )
    assert sorted(broken(warehouse)) == sorted([(key, True), (again, True)])


def test_a_seal_is_of_one_result_and_fits_no_other(warehouse: Settings) -> None:
    _, keys = stored(warehouse, 5, 7)
    with transaction(warehouse) as connection:
        connection.execute(
            text("""
                UPDATE ops.result r SET seal = other.seal FROM ops.result other
                WHERE other.result_key <> r.result_key
            """)
        )
    assert sorted(broken(warehouse)) == sorted((key, True) for key in keys)


@pytest.mark.parametrize(
    "changes",
    [
        {"sharpe": None, "trades": None, "sortino": -0.0, "final_equity": 5e-324},
        {"blocks": None},
        {"warnings": ["few_trades", "gaps"], "first_candle_at": None, "depends_from": None},
        {
            "status": "failed",
            "error": {
                "class": "Größe",
                "sentence": "über\nzwei „Zeilen“",
                "file": "a.py",
                "line": 7,
            },
        },
        {"candles_revision": None, "revisions": [3, 1]},
        {"computed_at": "2024-05-06T07:08:09.000123Z"},
    ],
)
def test_whatever_a_result_holds_its_seal_fits(
    warehouse: Settings, changes: dict[str, object]
) -> None:
    scene_id = a_scene(warehouse, runs=2)
    documents = [a_document(a_run(fast=fast), scene_id) for fast in (5, 7)]
    with transaction(warehouse) as connection:
        assert results.save(connection, [documents[0] | changes, documents[1]]) == []
        assert broken_seals(connection) == ([], 2)
        assert connection.scalar(text("SELECT count(*) FROM ops.result_seal")) == 0


def test_a_seal_holds_in_every_session_and_beside_a_new_metric(warehouse: Settings) -> None:
    stored(warehouse, 5, 7)
    with transaction(warehouse) as connection:
        for setting in (
            "timezone = 'Asia/Tokyo'",
            "datestyle = 'SQL, DMY'",
            "extra_float_digits = -5",
            "bytea_output = 'escape'",
        ):
            connection.execute(text(f"SET LOCAL {setting}"))
        connection.execute(text("ALTER TABLE ops.result ADD COLUMN a_later_metric float8"))
        assert broken_seals(connection) == ([], 2)
        connection.rollback()


def test_a_removed_result_takes_its_seal_along(warehouse: Settings) -> None:
    _, [key] = stored(warehouse, 5)
    with transaction(warehouse) as connection:
        connection.execute(text("DELETE FROM ops.scene_run"))
        connection.execute(text("DELETE FROM ops.result WHERE result_key = :key"), {"key": key})
        assert connection.scalar(text("SELECT count(*) FROM ops.result_seal")) == 0
