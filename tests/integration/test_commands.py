"""The commands that the README shows, as a user types them, on the running stack."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from mela.settings import Settings
from tests.conftest import mela, typed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
FIRST = "docs/scenes/first.yaml"


def test_publish_follows_a_scene_to_its_results(platform: Settings) -> None:
    done = mela("publish", FIRST, "--follow", home=platform.home)
    assert done.returncode == 0, done.stderr
    scene_id, *table = done.stdout.splitlines()
    assert "binance:BTCUSDT" in "\n".join(table)
    again = typed("results", scene_id, home=platform.home)
    assert "1 of 1 run recorded" in again.stdout
    [result] = json.loads(typed("results", scene_id, "--json", home=platform.home).stdout)
    assert (result["scene_id"], result["status"]) == (scene_id, "succeeded")


def test_psql_and_dbt_speak_to_this_warehouse(platform: Settings) -> None:
    told = mela(
        "psql", "-At", "-c", "select count(*) > 36000 from marts.fct_candle", home=platform.home
    )
    assert (told.returncode, told.stdout) == (0, "t\n")
    described = mela("psql", "-c", r"\d+ marts.fct_candle", home=platform.home)
    assert "First price, as traded." in described.stdout
    wrong = mela("psql", "-c", "select 1/0", home=platform.home)
    assert wrong.returncode == 1
    assert "division by zero" in wrong.stderr
    made = mela("dbt", "docs", "generate", "--static", home=platform.home)
    assert made.returncode == 0, made.stdout
    page = platform.home / "dbt" / "target" / "static_index.html"
    assert "A closed candle, with its prices as traded" in page.read_text(encoding="utf-8")


def test_a_scene_that_is_wrong_is_not_published(platform: Settings, tmp_path: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({"instruments": ["binance:BTCUSDT"], "cash": -1}))
    done = typed("publish", str(file), home=platform.home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "invalid_field" in done.stderr


def test_an_unknown_instrument_is_answered_with_the_command_that_helps(
    platform: Settings, tmp_path: Path
) -> None:
    scene = yaml.safe_load(Path(FIRST).read_text(encoding="utf-8"))
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**scene, "instruments": ["yahoo:IBM"]}))
    done = typed("publish", str(file), "--follow", home=platform.home)
    assert done.returncode == 1
    assert "mela ingest yahoo:IBM --interval 1h" in done.stderr


def test_ingest_twice_loads_once(platform: Settings) -> None:
    words = ["ingest", "binance:BTCUSDT", "--interval", "1h"]
    span = ["--from", "2024-01-01", "--to", "2024-01-08"]
    first = typed(*words, *span, home=platform.home)
    assert "168 inserted, 0 updated, 0 unchanged, 0 rejected (from the replay" in first.stdout
    again = typed(*words, *span, home=platform.home)
    assert "0 inserted, 0 updated, 168 unchanged" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["binance:NOSUCHCOIN", "--interval", "1h"], "NOSUCHCOIN"),
        (["nowhere:BTC", "--interval", "1h"], "binance"),
        (["BTCUSDT", "--interval", "1h"], "venue:symbol"),
    ],
)
def test_what_no_source_has_is_refused_in_a_sentence(
    platform: Settings, words: list[str], said: str
) -> None:
    done = typed("ingest", *words, "--from", "2024-01-01", "--to", "2024-01-02", home=platform.home)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_results_of_an_unknown_scene_are_an_error(platform: Settings) -> None:
    done = typed("results", str(uuid4()), home=platform.home)
    assert done.returncode == 1
    assert "no scene has the id" in done.stderr


def test_status_in_json_names_every_service(platform: Settings) -> None:
    services = json.loads(typed("status", "--json", home=platform.home).stdout)
    assert {"postgres", "kafka", "mlflow", "spark", "airflow-scheduler", "replay"} <= {
        service["name"] for service in services if service["healthy"]
    }


def test_logs_print_the_last_lines(platform: Settings) -> None:
    done = typed("logs", "spark", "--lines", "5", home=platform.home)
    assert done.returncode == 0
    assert 0 < len(done.stdout.splitlines()) <= 5
