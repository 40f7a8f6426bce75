"""`mela quality`, `stale`, `lineage`, `watch` and `schedule`, on a real Postgres."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner
from typer.testing import Result as Ended

from backtests.simulate import provenance
from cli.main import app
from mela.messages import SCENES, MessagePosition
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from replay import create_server
from tests.warehouse.given import NAME, START, a_document, a_run, answer, load
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
STORY: dict[str, Any] = {
    "scene_id": "6f1c3d0e-0000-4000-8000-00000000000a",
    "name": "story",
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


def mela(*words: str) -> Ended:
    return CliRunner().invoke(app, list(words))


def test_findings_are_printed_and_errors_end_in_1(settings: Settings) -> None:
    load(settings, answer([100.0] * 10))
    load(settings, answer([100.0] * 10, start=START + 13 * HOUR))
    said = mela("quality", NAME)
    assert said.exit_code == 1
    assert "2024-01-01T10:00:00Z" in said.output
    document = json.loads(mela("quality", "--interval", "1h", "--json").stdout)
    assert document["ok"] is False
    [gap] = [one for one in document["findings"] if one["kind"] == "missing"]
    assert (gap["candles"], gap["state"], gap["severity"]) == (3, "open", "error")
    assert document["checks"][0]["candles"] == 20

    row = next(line for line in said.output.splitlines() if line.startswith(NAME))
    assert row.split()[:6] == [NAME, "1h", "2024-01-01", "2024-01-01T23:00:00Z", "20", "23"]

    load(settings, answer([100.0] * 3, start=START + 10 * HOUR))
    assert mela("quality", NAME, "--interval", "1h").exit_code == 0

    unknown = mela("quality", "binance:NOBODY")
    assert unknown.exit_code == 1
    assert "mela ingest binance:NOBODY" in unknown.output
    backwards = mela("quality", "--from", "2024-01-02", "--to", "2024-01-01")
    assert (backwards.exit_code, "expected a start before" in backwards.output) == (1, True)


def test_repair_confirms_the_real_gap(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server() as server:
        monkeypatch.setenv("MELA_REPLAY_URL", server.url)
        span = ("--from", "2023-03-23", "--to", "2023-03-26")
        assert mela("ingest", NAME, "--interval", "1h", *span).exit_code == 0
        assert mela("quality", *span).exit_code == 1
        said = mela("quality", *span, "--repair")
    assert said.exit_code == 0
    assert "0 repaired, 1 confirmed as real" in said.output
    assert "asked binance 2×" in said.output


def test_stale_results_are_listed_with_the_scenes_that_hold_them(settings: Settings) -> None:
    load(settings, answer([100.0] * 72))
    key = finished_story(settings)
    assert mela("stale").output.startswith("all stored results hold")
    load(settings, answer([90.0] * 72), START)

    listed = json.loads(mela("stale", "--json").stdout)
    [result], [scene] = listed["results"], listed["scenes"]
    assert (result["result_key"], result["reasons"]) == (key, ["candles"])
    assert scene["scene_id"] == STORY["scene_id"]
    assert scene["rerun_id"] not in (None, STORY["scene_id"])


def test_a_changed_result_is_named_and_ends_in_1(settings: Settings) -> None:
    load(settings, answer([100.0] * 72))
    key = finished_story(settings)
    assert mela("verify").output == "1 stored result: each is what was stored.\n"
    with transaction(settings) as connection:
        connection.execute(text("UPDATE ops.result SET sharpe = 9"))

    found = mela("verify", "--scene", STORY["scene_id"])
    assert (found.exit_code, "changed after it was stored" in found.output) == (1, True)
    [one] = json.loads(mela("verify", "--json").stdout)
    assert (one["result_key"], one["scene_ids"]) == (key, [STORY["scene_id"]])
    assert "its numbers were changed" in mela("lineage", key).output


def planned(settings: Settings, scene: Scene) -> None:
    """Do with a published scene what the planner does."""
    with transaction(settings) as connection:
        told = (connection, str(scene.scene_id), scene.content(), scene.content_hash())
        counts = {"runs": 1, "skipped": 0}
        scenes.receive(*told, **counts, name=scene.name, origin=MessagePosition(SCENES, 0, 0))
        scenes.set_planned(connection, str(scene.scene_id), cached=0)


def finished_story(settings: Settings) -> str:
    document = a_document(a_run(), STORY["scene_id"], made_with=provenance("sma_cross", 1))
    planned(settings, parse_scene(STORY))
    with transaction(settings) as connection:
        assert results.save(connection, [document]) == []
        scenes.set_finished(connection, STORY["scene_id"], None, None)
    return document["result_key"]


def test_lineage_is_printed(settings: Settings) -> None:
    load(settings, answer([100.0] * 72))
    key = finished_story(settings)
    said = mela("lineage", key[:12])
    assert said.exit_code == 0
    for part in (key, STORY["scene_id"], f"{NAME} 1h", "known to it", "test (None)"):
        assert part in said.output
    [trail] = json.loads(mela("lineage", key, "--json").stdout)
    assert trail["series"][0]["batches"][0]["candles"] == 48
    assert mela("lineage", "0" * 64).exit_code == 1


def test_the_watch_list(settings: Settings) -> None:
    assert mela("watch", "add", NAME, "--interval", "1h").exit_code == 1
    load(settings, answer([100.0]))
    assert "binance:ETHUSDT 1h" in mela("watch", "list").output  # a default
    added = mela("watch", "add", NAME, "--interval", "1h")
    assert added.exit_code == 0
    assert "it loads this series alone" in added.output
    assert "mela watch add binance:ETHUSDT --interval 1h" in added.output
    assert f"mela watch add {NAME} --interval 1h" not in added.output
    assert mela("watch", "list").stdout == f"{NAME} 1h\n"
    removed = mela("watch", "remove", NAME, "--interval", "1h")
    assert (removed.exit_code, "loads its defaults" in removed.output) == (0, True)
    assert mela("watch", "remove", NAME, "--interval", "1h").exit_code == 1


def test_schedules(settings: Settings, tmp_path: Path) -> None:
    load(settings, answer([100.0]))
    file = tmp_path / "scene.yaml"
    file.write_text(json.dumps({name: part for name, part in STORY.items() if name != "scene_id"}))
    add = ("schedule", "add", "story", str(file))
    assert mela(*add, "--span", "90").exit_code == 1
    assert mela(*add, "--span", "90d", "--user", "ada").exit_code == 0
    listed = mela("schedule", "list").stdout
    assert all(part in listed for part in ("story", NAME, "90d", "complete", "ada"))
    assert f"story: not due: the candles of {NAME} end at 2024-01-01T01:00:00Z" in listed
    assert f"it is not watched (`mela watch add {NAME} --interval 1h`)." in listed
    assert mela("schedule", "remove", "story").exit_code == 0
    assert mela("schedule", "remove", "story").exit_code == 1


def test_a_warehouse_older_than_the_code_is_told_apart(settings: Settings) -> None:
    load(settings, answer([100.0]))
    renamed = "ALTER TABLE ops.{} RENAME TO {}"
    with transaction(settings) as connection:
        connection.execute(text(renamed.format("quality_check", "later")))
    try:
        said = mela("quality")
    finally:  # other tests have the same database
        with transaction(settings) as connection:
            connection.execute(text(renamed.format("later", "quality_check")))
    assert said.exit_code == 1
    assert "older than this code" in said.output
    assert "mela up" in said.output
