"""What `mela demo --offline` leaves behind is real: rows, runs, pictures, in every service."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from pydantic import SecretStr
from sqlalchemy import text

from cli.stack.airflow import Airflow
from mela.settings import REPOSITORY, Settings
from stack import environment, roles
from tests.conftest import MIRRORED, mela
from tests.integration.asking import mirrored, wait_for
from warehouse import dbt_project
from warehouse.database import transaction
from warehouse.results import finder as results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with transaction(settings) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_every_step_of_the_demo_held(platform: Settings) -> None:
    said = (platform.home / "demo.txt").read_text(encoding="utf-8")
    assert "every step held" in said
    for claim in ("none of them was stored before", "nothing was computed twice"):
        assert claim in said
    for claim in ("the session traded by itself", "drift is zero"):
        assert claim in said


def test_the_demos_session_is_stored_and_ended(platform: Settings) -> None:
    found = rows(
        platform,
        """SELECT s.state, s.money, count(t.*) > 0, bool_and(d.missed + d.extra + d.differing = 0)
           FROM ops.session s JOIN ops.session_trade t USING (session_id)
           JOIN ops.session_drift d USING (session_id)
           WHERE s.name = 'demo on paper' AND d.candles = 'decided' GROUP BY 1, 2""",
    )
    assert found == [("stopped", "paper", True, True)]


def test_airflow_loaded_four_series_from_the_replay(platform: Settings) -> None:
    loads = rows(
        platform,
        """SELECT i.venue || ':' || i.symbol, b.interval, b.origin, b.inserted > 500
           FROM ops.load_batch b JOIN ops.instrument i ON i.id = b.instrument_id
           WHERE b.span_start = '2019-01-01Z' ORDER BY 1""",
    )
    assert loads == [
        ("binance:BTCUSDT", "1h", "replay", True),
        ("binance:ETHUSDT", "1h", "replay", True),
        ("yahoo:AAPL", "1d", "replay", True),
        ("yahoo:SPY", "1d", "replay", True),
    ]


def test_the_candles_are_the_packaged_ones(platform: Settings) -> None:
    # the gap is real: Binance halted spot trading on 2023-03-24 at 13:00 UTC
    counted = rows(
        platform,
        """SELECT count(*) FROM raw.candle c JOIN ops.instrument i ON i.id = c.instrument_id
           WHERE i.symbol = 'BTCUSDT' AND c.opened_at >= '2023-01-01Z'
             AND c.opened_at < '2024-01-01Z'""",
    )
    assert counted == [(8759,)]


def test_the_star_holds_every_candle(platform: Settings) -> None:
    counted = (
        "SELECT count(*) FROM {} WHERE opened_at >= '2019-01-01Z' AND opened_at < '2024-01-01Z'"
    )
    [stored] = rows(platform, counted.format("raw.candle"))
    assert stored > (36_000,)
    assert rows(platform, counted.format("marts.fct_candle")) == [stored]


def test_the_tasks_may_build_what_the_demo_has_built(platform: Settings) -> None:
    """The demo builds as the warehouse's owner, Airflow's tasks as a role that owns nothing."""
    owners = rows(
        platform,
        """SELECT DISTINCT pg_get_userbyid(owner) FROM (
               SELECT relnamespace, relowner FROM pg_class
               UNION ALL SELECT pronamespace, proowner FROM pg_proc
           ) AS built (schema, owner)
           WHERE schema::regnamespace::text IN ('staging', 'marts', 'history')""",
    )
    assert owners == [(roles.MARTS,)]
    password = environment.read(platform.home)[roles.TASKS_PASSWORD]
    tasks = platform.postgres.model_copy(
        update={"user": roles.TASKS, "password": SecretStr(password)}
    )
    theirs = platform.model_copy(update={"postgres": tasks})
    command, given = dbt_project.command(theirs, "build", "--select", "dim_interval")
    done = subprocess.run(
        command, env=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_grid_is_in_mlflow_once_with_its_best_runs_nested(platform: Settings) -> None:
    client = MlflowClient(tracking_uri=platform.mlflow.url)
    experiment = client.get_experiment_by_name("sma_cross")
    assert experiment is not None
    asked = rows(  # the demo's own scenes; other tests ask theirs on the same platform
        platform,
        """SELECT scene_id::text, runs FROM ops.scene WHERE status = 'finished'
           ORDER BY received_at LIMIT 2""",
    )
    assert [runs for _, runs in asked] == [480, 480]
    for scene_id, _ in asked:
        where = f"tags.`mela.scene_id` = '{scene_id}'"
        parents = wait_for(  # a busy machine's scene may end without MLflow, which gets it later
            partial(client.search_runs, [experiment.experiment_id], where), 300, "its parent run"
        )
        assert len(parents) == 1
        parent = mirrored(parents[0].info.run_id, platform)
        nested = client.search_runs(
            [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"
        )
        assert len(nested) == MIRRORED
        names = {artifact.path for artifact in client.list_artifacts(parent)}
        assert names == {"runs.csv", "runs.json", "equity.png", "best.html", "report.json"}


def test_the_best_in_mlflow_is_the_best_in_the_warehouse(
    platform: Settings, tmp_path: Path
) -> None:
    client = MlflowClient(tracking_uri=platform.mlflow.url)
    [(scene_id, run_id)] = rows(
        platform,
        """SELECT scene_id::text, mlflow_run_id FROM ops.scene WHERE runs = 480
           ORDER BY received_at LIMIT 1""",
    )
    with transaction(platform) as connection:
        best = results.best_of(connection, str(scene_id), "sharpe").overall
    assert best is not None
    parent = client.get_run(str(run_id))
    assert parent.data.metrics["sharpe"] == best["sharpe"]
    table = Path(client.download_artifacts(str(run_id), "runs.csv", str(tmp_path)))
    assert len(table.read_text(encoding="utf-8").splitlines()) == 481


def test_the_best_of_each_instrument_keeps_its_curve(platform: Settings) -> None:
    curves = rows(
        platform,
        """SELECT i.symbol, count(DISTINCT e.result_key), count(*)
           FROM ops.equity e JOIN ops.result r USING (result_key) JOIN ops.run q USING (run_key)
           JOIN ops.instrument i ON i.id = q.instrument_id
           WHERE r.run_key IN (SELECT a.run_key FROM ops.scene_run a JOIN ops.scene s
                               USING (scene_id) GROUP BY 1 HAVING every(s.runs = 480))
           GROUP BY 1 ORDER BY 1""",  # another test's scene keeps the curve of its only run
    )
    assert curves == [("BTCUSDT", 1, 8759), ("ETHUSDT", 1, 8759)]


def test_status_says_that_all_is_healthy(platform: Settings) -> None:
    done = mela("status", home=platform.home)
    assert done.returncode == 0, done.stdout


def test_a_backfill_by_airflows_command_line_loads_its_day(platform: Settings) -> None:
    words = "--dag-id ingest_candles --from-date 2018-05-01 --to-date 2018-05-01"
    quiet = ("--dag-run-conf", '{"announce": false}')  # no build of the marts beside other tests
    done = mela("airflow", "backfill", "create", *words.split(), *quiet, home=platform.home)
    assert done.returncode == 0, done.stderr

    def loaded() -> bool:
        return (1,) in rows(
            platform,
            """SELECT count(*) FROM ops.load_batch b
               JOIN ops.instrument i ON i.id = b.instrument_id
               WHERE i.symbol = 'AAPL' AND b.span_end = '2018-05-02Z' AND b.inserted > 0""",
        )

    wait_for(loaded, 240, "the backfill of 2018-05-01 was loaded")


def test_the_stack_made_a_pool_for_each_service(platform: Settings) -> None:
    with (REPOSITORY / "dags" / "pools.json").open(encoding="utf-8") as file:
        wanted = {name: pool["slots"] for name, pool in json.load(file).items()}
    with Airflow(platform.airflow) as airflow:
        there = {pool["name"]: pool["slots"] for pool in airflow.pools()}
    assert wanted.items() <= there.items()
