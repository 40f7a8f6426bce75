"""Every DAG runs: real tasks on the real warehouse, market data from the replay."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.exc import ProgrammingError

from mela.messages import SCENES
from mela.scene import parse_scene
from mela.settings import Settings
from stack import environment, roles
from tests.dags.conftest import MOST_TASKS, Airflow, Alerts
from tests.live.random_sessions import drawn
from tests.live.random_sessions import messages as messages_of
from tests.live.test_drift import lived, stored
from warehouse.database import transaction
from warehouse.scenes import schedules

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
CANDLES, MARTS = "mela://raw/candle", "mela://marts/"
BTC, ETH = "binance:BTCUSDT 1h", "binance:ETHUSDT 1h"
# Who changed what and when: equal before and after means that nothing was written.
STORED = """
    SELECT (SELECT count(*) FROM raw.candle), (SELECT max(xmin::text::bigint) FROM raw.candle),
           (SELECT count(*) FROM ops.candle_revision)
"""
BATCHES = "SELECT span_start::text, span_end::text FROM ops.load_batch WHERE id > {} ORDER BY 1"
LAST = "SELECT coalesce(max(id), 0) FROM ops.load_batch"


def batches_since(airflow: Airflow, last: int) -> list[tuple[Any, ...]]:
    return airflow.rows(BATCHES.format(last))


def messages(settings: Settings, topic: str) -> list[dict[str, Any]]:
    """Return what a topic holds."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.brokers,
            "group.id": "the-tests",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    found: list[dict[str, Any]] = []
    ended: set[int | None] = set()
    while message := consumer.poll(20):
        if message.error():
            ended.add(message.partition())
            if len(ended) == len(consumer.assignment()):
                break
        else:
            found.append(orjson.loads(message.value() or b"null"))
    consumer.close()
    return found


def told_of(run: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(uri, said["series"]) for uri, said in run["told"]]


def last_batch(airflow: Airflow) -> int:
    return airflow.rows(LAST)[0][0]


def test_ingestion_loads_a_day_and_tells_in_which_series_candles_changed(airflow: Airflow) -> None:
    series = [BTC, "yahoo:AAPL 1d"]  # Apple's packaged candles end before this day
    run = airflow.run("ingest_candles", date="2023-03-12T00:00:00+00:00", instruments=series)
    assert run["state"] == "success"
    assert run["tasks"]["binance.load_series"] == run["tasks"]["yahoo.load_series"] == ["success"]
    assert told_of(run) == [(CANDLES, [BTC])]
    assert run["waiting"] == ["build_marts", "check_quality", "publish_scenes"]
    spans = airflow.rows("SELECT DISTINCT span_start::text, span_end::text FROM ops.load_batch")
    assert spans == [("2023-03-08 00:00:00+00", "2023-03-12 00:00:00+00")]
    # again: no candle is written, so nobody is told
    before = airflow.rows(STORED)
    again = airflow.run("ingest_candles", date="2023-03-12T00:00:00+00:00", instruments=series)
    assert (again["state"], again["told"]) == ("success", [])
    assert airflow.rows(STORED) == before


def test_a_series_that_is_refused_fails_the_run_and_not_the_others(
    airflow: Airflow, alerts: Alerts
) -> None:
    series = ["binance:NOSUCHCOIN 1h", ETH]
    run = airflow.run("ingest_candles", date="2023-03-12T00:00:00+00:00", instruments=series)
    assert run["state"] == "failed"
    assert run["tasks"]["binance.load_series"] == ["failed", "success"]
    assert told_of(run) == [(CANDLES, [ETH])]
    assert [alert["event"] for alert in alerts.heard] == ["dag_run_failed"]
    said = alerts.heard.pop()
    assert (said["dag_id"], said["run_id"]) == ("ingest_candles", run["run_id"])
    assert said["task_id"] == "binance.load_series"
    assert said["url"] in said["text"]


def test_a_webhook_that_fails_is_logged_without_its_secret(
    airflow: Airflow, alerts: Alerts
) -> None:
    alerts.status = 500
    run = airflow.run("ingest_candles", instruments=["binance:NOSUCHCOIN 1h"], announce=False)
    alerts.status = 204
    assert run["state"] == "failed"
    assert len(alerts.heard) == 1
    alerts.heard.clear()
    log = airflow.log.read_text(errors="replace")
    assert "alert_not_delivered" in log
    assert "dag_run_failed" in log
    assert "a-token" not in log


def test_a_backfill_asks_in_chunks_and_only_for_what_is_missing(airflow: Airflow) -> None:
    asked = {"instruments": [BTC], "start": "2023-03-01T00:00:00Z", "chunk_candles": 120}
    last = last_batch(airflow)
    first = airflow.run("backfill_candles", **asked, end="2023-03-16T00:00:00Z")
    assert first["state"] == "success"
    assert told_of(first) == [(CANDLES, [BTC])]
    # 8 to 12 March is there since the ingestion; 120 hours are five days
    assert batches_since(airflow, last) == [
        ("2023-03-01 00:00:00+00", "2023-03-06 00:00:00+00"),
        ("2023-03-06 00:00:00+00", "2023-03-08 00:00:00+00"),
        ("2023-03-12 00:00:00+00", "2023-03-16 00:00:00+00"),
    ]
    last, before = last_batch(airflow), airflow.rows(STORED)
    again = airflow.run("backfill_candles", **asked, end="2023-03-16T00:00:00Z")
    assert again["state"] == "success"
    assert batches_since(airflow, last) == []
    forced = airflow.run("backfill_candles", **asked, end="2023-03-16T00:00:00Z", force=True)
    assert (forced["state"], forced["told"]) == ("success", [])
    assert len(batches_since(airflow, last)) == 3
    assert airflow.rows(STORED) == before


def test_a_plan_of_more_loads_than_airflow_maps_becomes_fewer_tasks(airflow: Airflow) -> None:
    asked = {"instruments": [ETH], "start": "2023-04-01T00:00:00Z", "end": "2023-05-01T00:00:00Z"}
    last = last_batch(airflow)
    run = airflow.run("backfill_candles", **asked, chunk_candles=100)
    assert run["state"] == "success"
    assert run["tasks"]["binance.load_series"] == ["success"] * 4
    assert len(batches_since(airflow, last)) == 8 > MOST_TASKS


@pytest.mark.parametrize(
    ("first", "days"),
    [("2023-02-22", 7), pytest.param("2023-01-22", 28, marks=pytest.mark.nightly, id="all of it")],
)
def test_a_backfill_of_days_changes_nothing_the_second_time(
    airflow: Airflow, first: str, days: int
) -> None:
    """A week shows what a month does: each day is a run that knows of no other."""
    last = (date.fromisoformat(first) + timedelta(days=days - 1)).isoformat()
    third_last = (date.fromisoformat(last) - timedelta(days=2)).isoformat()
    conf = ("--to-date", last, "--dag-run-conf", f'{{"instruments": ["{BTC}"]}}')
    month = ("--from-date", first, *conf)
    assert airflow.backfill("ingest_candles", *month) == ["success"] * days
    loaded = f"opened_at BETWEEN '{first}Z' AND '{last} 23:00Z'"
    assert airflow.rows(f"SELECT count(*) FROM raw.candle WHERE {loaded}") == [(days * 24,)]
    before = airflow.rows(STORED)
    assert airflow.backfill("ingest_candles", *month) == []  # each day has its run
    again = ("--from-date", third_last, *conf, "--reprocess-behavior", "completed")
    assert airflow.backfill("ingest_candles", *again) == ["success"] * 3
    assert airflow.rows(STORED) == before


def test_gaps_are_asked_for_again_and_real_ones_recorded(airflow: Airflow) -> None:
    """Between two loads lies 24 March 2023, when Binance halted spot trading for an hour."""
    about = {"start": "2023-03-08T00:00:00Z", "end": "2023-05-01T00:00:00Z"}
    run = airflow.run("check_quality", instruments=[ETH], **about)
    assert run["state"] == "success"
    repairs = {name: states for name, states in run["tasks"].items() if "repair" in name}
    assert repairs.pop("repair_binance") == ["success"]
    assert set(map(tuple, repairs.values())) == {("skipped",)}
    [[uri, said]] = run["told"]
    assert (uri, said["series"]) == (CANDLES, [ETH])
    assert airflow.rows("""
        SELECT f.kind, f.state, f.candles, f.first_opened_at::text FROM ops.quality_finding f
        JOIN ops.instrument i ON i.id = f.instrument_id
        WHERE i.symbol = 'ETHUSDT' AND f.kind = 'missing' ORDER BY f.first_opened_at
    """) == [
        ("missing", "repaired", 480, "2023-03-12 00:00:00+00"),
        ("missing", "confirmed", 1, "2023-03-24 13:00:00+00"),
    ]


def test_an_error_that_stays_open_fails_the_run(airflow: Airflow, alerts: Alerts) -> None:
    airflow.change("""
        INSERT INTO raw.candle SELECT instrument_id, interval, opened_at + interval '30 minutes',
            closed_at + interval '30 minutes', session_on, open, high, low, close, volume,
            revision, load_batch_id
        FROM raw.candle WHERE opened_at = '2023-04-10 12:00Z'
    """)
    run = airflow.run("check_quality", instruments=[ETH])
    airflow.change("DELETE FROM raw.candle WHERE opened_at = '2023-04-10 12:30Z'")
    assert run["state"] == "failed"
    assert run["tasks"]["judge"] == ["failed"]
    assert alerts.heard.pop()["task_id"] == "judge"
    assert "binance:ETHUSDT 1h: spacing, 1 candle from" in airflow.log.read_text(errors="replace")
    assert airflow.run("check_quality", instruments=[ETH])["state"] == "success"


def test_a_scene_that_comes_again_is_published_once_its_candles_are_there(
    airflow: Airflow, kafka: Settings
) -> None:
    scene = parse_scene(
        {
            "instruments": [BTC.split()[0]],
            "interval": "1h",
            "start": "2020-01-01T00:00:00Z",
            "end": "2021-01-01T00:00:00Z",
            "strategy": {"name": "sma_cross"},
        }
    )
    with transaction(airflow.settings) as connection:
        schedules.add(connection, "monthly", scene, "10y")
    for _ in range(2):
        assert airflow.run("publish_scenes")["state"] == "success"
    [published] = messages(kafka, SCENES)
    assert published["end"] == "2023-03-16T00:00:00Z"
    assert airflow.rows("SELECT last_scene_id::text, name FROM ops.scene_schedule") == [
        (published["scene_id"], "monthly")
    ]


def test_a_snapshot_holds_the_candles(airflow: Airflow, tmp_path: Path) -> None:
    run = airflow.run("snapshot_candles", to=str(tmp_path), instruments=[BTC.split()[0]])
    assert run["state"] == "success"
    written = sum(pq.read_metadata(file).num_rows for file in tmp_path.rglob("*.parquet"))
    assert airflow.rows("""
        SELECT count(*) FROM raw.candle JOIN ops.instrument i ON i.id = instrument_id
        WHERE symbol = 'BTCUSDT'
    """) == [(written,)]


def test_a_weekly_pass_thins_with_the_rights_of_a_task(airflow: Airflow) -> None:
    run = airflow.run("prune_results")
    assert run["state"] == "success"
    passes = "SELECT made_by, finished_at IS NOT NULL FROM ops.prune"
    assert airflow.rows(passes) == [(roles.TASKS, True)]


def test_a_session_is_compared_with_its_backtest_once_a_day(airflow: Airflow) -> None:
    given = drawn(np.random.default_rng(4), "sma_cross", broker={"kind": "paper"})
    session_id = stored(airflow.settings, given, lived(given, messages_of(given)))
    [[today]] = airflow.rows("SELECT (now() AT TIME ZONE 'UTC')::date::text")
    compared = f"""
        SELECT candles, state, drift, trades = trades_backtest, missed + extra + differing
        FROM ops.session_drift WHERE session_id = '{session_id}' ORDER BY candles
    """

    first = airflow.run("compare_sessions", day=today)
    after_first = airflow.rows(compared)
    second = airflow.run("compare_sessions", day=today)

    assert (first["state"], second["state"]) == ("success", "success")
    assert after_first[0] == ("decided", "ok", 0.0, True, 0)
    assert [row[0] for row in after_first] == ["decided", "stored"]
    assert airflow.rows(compared) == after_first


def test_tasks_may_do_no_more_than_they_need(airflow: Airflow) -> None:
    kept = environment.read(airflow.settings.home)
    account = airflow.settings.postgres.model_copy(
        update={"user": roles.TASKS, "password": SecretStr(kept[roles.TASKS_PASSWORD])}
    )
    engine = create_engine(account.url())
    for statement in (
        "DROP TABLE raw.candle",
        "TRUNCATE ops.load_batch",
        "CREATE TABLE raw.mine (id integer)",
        "DELETE FROM ops.load_batch",
        "UPDATE ops.scene SET status = 'cancelled'",
        "UPDATE ops.scene_schedule SET active = false",
        "INSERT INTO ops.user (name) VALUES ('me')",
        "INSERT INTO ops.watch SELECT id, '1m' FROM ops.instrument",
        "DELETE FROM ops.result",
        "DELETE FROM ops.pruned_result",
        "ALTER ROLE mela_tasks SUPERUSER",
    ):
        with (
            pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
            engine.begin() as connection,
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_build_leaves_the_work_to_a_later_one_that_waits(airflow: Airflow) -> None:
    """A backfill day by day changes candles thirty times; the marts are built once or twice."""
    airflow.queue("build_marts", "later")
    run = airflow.run("build_marts")
    assert (run["state"], run["tasks"]) == (
        "success",
        {"is_last": ["success"], "build": ["skipped"]},
    )
    assert run["told"] == []
    airflow.unqueue("build_marts", "later")


def test_the_marts_are_built_by_one_dbt(airflow: Airflow) -> None:
    run = airflow.run("build_marts")
    assert run["state"] == "success"
    assert run["told"] == [[MARTS, {}]]
    assert run["tasks"] == {"is_last": ["success"], "build": ["success"]}
    [counts] = airflow.rows(
        "SELECT (SELECT count(*) FROM raw.candle), (SELECT count(*) FROM marts.fct_candle)"
    )
    assert counts[0] == counts[1] > 720


@pytest.mark.nightly  # minutes for what one dbt builds in seconds; test_parsing.py holds its tasks
def test_the_marts_are_built_one_task_per_model(airflow: Airflow) -> None:
    airflow.run("build_marts")
    airflow.change("TRUNCATE marts.fct_candle")
    run = airflow.run("build_marts_by_model")
    assert run["state"] == "success"
    assert run["told"] == [[MARTS, {}]]
    models = {name.partition(".")[2] for name in run["tasks"] if name.startswith("models.")}
    assert {"stg_raw__candles_model_build", "fct_candle_model_build"} <= models
    assert {state for states in run["tasks"].values() for state in states} == {"success"}
    [counts] = airflow.rows(
        "SELECT (SELECT count(*) FROM raw.candle), (SELECT count(*) FROM marts.fct_candle)"
    )
    assert counts[0] == counts[1] > 720
