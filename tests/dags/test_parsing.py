from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DAGS = REPOSITORY / "dags"
CANDLES = "mela://raw/candle"
SHARED = {"alerts", "building", "loading", "policies"}
DAY = ["2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]
SUNDAY = ["2023-12-31T00:00:00+00:00", "2024-01-01T00:00:00+00:00"]
YEAR = {"start": "2023-01-01T00:00:00Z", "end": "2024-01-01T00:00:00+01:00"}
CONFS: dict[str, dict[str, Any]] = {
    "ingest_candles": {
        "all empty": {},
        "two series and a span": {"instruments": ["binance:BTCUSDT 1h", "yahoo:AAPL 1d"], **YEAR},
        "an empty line": {"instruments": ["binance:BTCUSDT 1h", ""]},
    },
    "backfill_candles": {
        "a span": YEAR,
        "chunks": {**YEAR, "chunk_candles": 1_000, "force": True},
    },
    "check_quality": {"all": {}, "one": {"instruments": ["kraken:BTC/USD 1m"], **YEAR}},
    "compare_sessions": {"yesterday": {}, "a day": {"day": "2024-01-01"}},
    "prune_results": {"all": {}, "a look": {"dry_run": True}},
    "snapshot_candles": {
        "all": {},
        "a bucket": {"to": "s3://bucket/path", "instruments": ["yahoo:AAPL"], "intervals": ["1d"]},
    },
}
REFUSED: dict[str, dict[str, Any]] = {
    "ingest_candles": {
        "no venue": {"instruments": ["BTCUSDT 1h"]},
        "no interval of ours": {"instruments": ["binance:BTCUSDT 7h"]},
        "no list": {"instruments": "binance:BTCUSDT 1h"},
        "no zone": {"start": "2023-01-01T00:00:00"},
        "no instant": {"start": "yesterday"},
    },
    "backfill_candles": {
        "no start": {},
        "tiny chunks": {**YEAR, "chunk_candles": 1},
        "a word for a switch": {**YEAR, "force": "yes"},
    },
    "compare_sessions": {"no date": {"day": "yesterday"}},
    "snapshot_candles": {
        "a series for an instrument": {"instruments": ["yahoo:AAPL 1d"]},
        "no interval of ours": {"intervals": ["7h"]},
    },
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    answer = home / "answers.json"
    dropped = ("AIRFLOW__", "MELA_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    questions = {
        "latest": "2024-01-02T12:00:00+00:00",
        "confs": [
            (dag, conf)
            for cases in (CONFS, REFUSED)
            for dag, confs in cases.items()
            for conf in confs.values()
        ],
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("ask_dag.py"), answer],
        input=json.dumps(questions),
        env=inherited
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # as the stack has it
            "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
            "MELA_HOME": str(home / "mela"),
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(answer.read_text())


def test_every_dag_file_parses_and_the_shared_modules_are_none(answers: dict[str, Any]) -> None:
    assert answers["errors"] == {}
    files = {path.stem for path in DAGS.glob("*.py")}
    assert set(answers["dags"]) == files - SHARED
    ignored = (DAGS / ".airflowignore").read_text().split()
    assert ignored == sorted(f"{name}.py" for name in SHARED)


def test_parsing_imports_no_room_that_does_work(answers: dict[str, Any]) -> None:
    """The DAG processor parses again and again: what a task needs is imported by the task."""
    assert answers["rooms_imported"] == []


def test_every_dag_is_documented_has_an_owner_and_tells_of_failure(answers: dict[str, Any]) -> None:
    for name, dag in answers["dags"].items():
        said = {key: dag[key] for key in ("catchup", "paused", "alerts", "documented", "owner")}
        assert said == {
            "catchup": False,
            "paused": False,
            "alerts": True,
            "documented": True,
            "owner": "mela",
        }, name


def test_every_task_is_tried_again_and_ends(answers: dict[str, Any]) -> None:
    for name, dag in answers["dags"].items():
        assert (dag["endless"], dag["unretried"]) == ([], []), name


def test_no_task_defers_as_no_triggerer_runs(answers: dict[str, Any]) -> None:
    assert [name for name, dag in answers["dags"].items() if dag["defers"]] == []


def test_only_what_may_pass_is_tried_again(answers: dict[str, Any]) -> None:
    """A scene that no longer holds would keep the others of its hour waiting for eight minutes."""
    assert answers["again"] == ["OSError", "SourceUnavailable"]


def test_every_field_of_a_form_has_a_title_and_a_description(answers: dict[str, Any]) -> None:
    assert {
        name: dag["bare_params"] for name, dag in answers["dags"].items() if dag["bare_params"]
    } == {}


def test_the_stack_makes_every_pool_that_a_task_needs(answers: dict[str, Any]) -> None:
    made = set(json.loads((DAGS / "pools.json").read_text()))
    needed = {pool for dag in answers["dags"].values() for pool in dag["pools"]}
    assert needed - {"default_pool"} == made


def test_each_service_has_a_pool() -> None:
    from warehouse.ingestion.load_plan import SERVICES

    assert set(SERVICES) <= set(json.loads((DAGS / "pools.json").read_text()))


def test_changed_candles_start_what_rests_on_them(answers: dict[str, Any]) -> None:
    waiting = {name for name, dag in answers["dags"].items() if dag["assets"]}
    assert waiting == {"build_marts", "check_quality", "publish_scenes"}
    assert {one for dag in answers["dags"].values() for one in dag["assets"]} == {CANDLES}


def test_a_new_stack_begins_with_the_ingestion_alone(answers: dict[str, Any]) -> None:
    due = [name for name, dag in answers["dags"].items() if dag["due_at_once"]]
    assert due == ["ingest_candles"]


def test_the_marts_are_built_by_one_dbt(answers: dict[str, Any]) -> None:
    assert answers["build"] == {"is_last": [], "build": ["mela://marts/"]}


def test_each_model_and_snapshot_of_the_project_is_a_task(answers: dict[str, Any]) -> None:
    project = REPOSITORY / "dbt"
    files = {
        f"{path.stem}_{kind}_build"
        for kind, folder in (("model", "models"), ("snapshot", "snapshots"))
        for path in (project / folder).rglob("*")
        if path.suffix == ".sql" or (kind == "snapshot" and path.suffix == ".yml")
    }
    built = {name.removeprefix("models.") for name in answers["models"]}
    assert {name for name in files if name in built} == built - {"test_across_models"}
    assert {name for name in files if name.endswith("_model_build")} <= built


def test_each_test_of_the_project_runs_in_some_task(answers: dict[str, Any]) -> None:
    """A model's task leaves out what looks at models beside it, unless that is run at the end."""
    manifest = answers["manifest"]

    def above(name: str) -> set[str]:
        parents = set(manifest[name]["parents"]) & set(manifest)
        return parents | {one for parent in parents for one in above(parent)}

    for name, node in manifest.items():
        if node["kind"] != "test" or node["test"] in (None, "relationships"):
            continue
        parents = {one for one in node["parents"] if one in manifest}
        assert any(parents <= above(one) | {one} for one in parents), name


def test_a_run_covers_one_day_of_data(answers: dict[str, Any]) -> None:
    assert answers["intervals"] == [
        SUNDAY,
        DAY,
        ["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"],
    ]


def test_params_are_checked_when_a_run_is_asked_for(answers: dict[str, Any]) -> None:
    good, bad = (sum(map(len, cases.values())) for cases in (CONFS, REFUSED))
    assert answers["accepts"] == [True] * good + [False] * bad


def test_no_dag_file_hides_an_installed_package() -> None:
    """Airflow puts dags/ on sys.path, ahead of site-packages."""
    from importlib.metadata import packages_distributions

    names = {path.stem for path in DAGS.glob("*.py")}
    assert names & (set(packages_distributions()) | set(sys.stdlib_module_names)) == set()
    assert "__init__" not in names
