from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DAY = ["2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]
SUNDAY = ["2023-12-31T00:00:00+00:00", "2024-01-01T00:00:00+00:00"]
NOTHING = {"instruments": None, "start": None, "end": None}
QUESTIONS: dict[str, Any] = {
    "latest": "2024-01-02T12:00:00+00:00",
    "confs": [
        {},
        {
            "instruments": ["binance:BTCUSDT 1h", "yahoo:AAPL 1d"],
            "start": "2023-01-01T00:00:00Z",
            "end": "2024-01-01T00:00:00+01:00",
        },
        {"instruments": ["binance:BTCUSDT 1h", ""]},
        {"instruments": ["BTCUSDT 1h"]},
        {"instruments": ["binance:BTCUSDT 7h"]},
        {"instruments": "binance:BTCUSDT 1h"},
        {"start": "2023-01-01T00:00:00"},
        {"start": "yesterday"},
    ],
    "spans": [
        ("1h", NOTHING, DAY),
        ("1w", NOTHING, SUNDAY),
        ("1h", NOTHING | {"start": "2020-01-01T00:00:00Z"}, DAY),
        ("1h", NOTHING | {"start": "2020-01-01T00:00:00Z", "end": "2020-02-01T00:00:00Z"}, DAY),
        ("1h", NOTHING | {"end": "2020-02-01T00:00:00Z"}, DAY),
        ("1h", NOTHING | {"start": "2020-02-01T00:00:00Z", "end": "2020-01-01T00:00:00Z"}, DAY),
    ],
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    answer = home / "answers.json"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("ask_dag.py"), answer],
        input=json.dumps(QUESTIONS),
        env=inherited
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(answer.read_text())


def test_every_dag_file_parses(answers: dict[str, Any]) -> None:
    assert answers["errors"] == {}
    files = sorted(path.stem for path in (REPOSITORY / "dags").glob("*.py"))
    assert answers["dags"] == files


def test_parsing_imports_no_room_that_does_work(answers: dict[str, Any]) -> None:
    """The DAG processor parses every half minute: what a task needs is imported by the task."""
    assert answers["rooms_imported"] == []


def test_a_run_covers_one_day_of_data(answers: dict[str, Any]) -> None:
    assert answers["intervals"] == [
        SUNDAY,
        DAY,
        ["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"],
    ]
    assert answers["catchup"] is False


def test_params_are_checked_when_a_run_is_asked_for(answers: dict[str, Any]) -> None:
    assert answers["accepts"] == [True, True, True, False, False, False, False, False]


def test_a_scheduled_run_asks_for_its_day_and_a_lookback(answers: dict[str, Any]) -> None:
    assert answers["spans"][0] == ["2023-12-29T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]


def test_the_lookback_is_never_shorter_than_a_candle(answers: dict[str, Any]) -> None:
    """The week that opened on Monday, 2023-12-25, closes at the end of Sunday's run."""
    assert answers["spans"][1] == ["2023-12-24T00:00:00+00:00", "2024-01-01T00:00:00+00:00"]


def test_a_given_start_replaces_day_and_lookback(answers: dict[str, Any]) -> None:
    assert answers["spans"][2] == ["2020-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]
    assert answers["spans"][3] == ["2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00"]


def test_an_impossible_span_is_refused_with_a_sentence(answers: dict[str, Any]) -> None:
    assert "start beside the end" in answers["spans"][4]
    assert "after the start" in answers["spans"][5]


def test_no_dag_file_hides_an_installed_package() -> None:
    """Airflow puts dags/ on sys.path, ahead of site-packages."""
    from importlib.metadata import packages_distributions

    names = {path.stem for path in (REPOSITORY / "dags").glob("*.py")}
    assert names & (set(packages_distributions()) | set(sys.stdlib_module_names)) == set()
    assert "__init__" not in names
