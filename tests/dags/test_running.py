"""Every DAG runs: real tasks on the real warehouse, market data from the replay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dags.conftest import MOST_TASKS, Airflow, Alerts

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


def last_batch(airflow: Airflow) -> int:
    return airflow.rows(LAST)[0][0]


def test_ingestion_loads_a_day_and_tells_in_which_series_candles_changed(airflow: Airflow) -> None:
    series = [BTC, "yahoo:AAPL 1d"]  # Apple's packaged candles end before this day
    run = airflow.run("ingest_candles", date="2023-03-12T00:00:00+00:00", instruments=series)
    assert run["state"] == "success"
    assert run["tasks"]["binance.load_series"] == run["tasks"]["yahoo.load_series"] == ["success"]
    assert run["told"] == [[CANDLES, {"series": [BTC]}]]
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
    assert run["told"] == [[CANDLES, {"series": [ETH]}]]
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
    assert first["told"] == [[CANDLES, {"series": [BTC]}]]
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


def test_a_backfill_of_a_month_changes_nothing_the_second_time(airflow: Airflow) -> None:
    conf = ("--dag-run-conf", f'{{"instruments": ["{BTC}"]}}')
    month = ("--from-date", "2023-02-01", "--to-date", "2023-02-28", *conf)
    assert airflow.backfill("ingest_candles", *month) == ["success"] * 28
    february = "opened_at BETWEEN '2023-02-01Z' AND '2023-02-28 23:00Z'"
    assert airflow.rows(f"SELECT count(*) FROM raw.candle WHERE {february}") == [(28 * 24,)]
    before = airflow.rows(STORED)
    assert airflow.backfill("ingest_candles", *month) == []  # each day has its run
    days = ("--from-date", "2023-02-26", "--to-date", "2023-02-28", *conf)
    again = ("--reprocess-behavior", "completed")
    assert airflow.backfill("ingest_candles", *days, *again) == ["success"] * 3
    assert airflow.rows(STORED) == before


def test_the_marts_are_built_one_task_per_model(airflow: Airflow) -> None:
    run = airflow.run("build_marts")
    assert run["state"] == "success"
    assert run["told"] == [[MARTS, {}]]
    models = {name.partition(".")[2] for name in run["tasks"] if name.startswith("models.")}
    assert {"stg_raw__candles_model_build", "fct_candle_model_build"} <= models
    assert {state for states in run["tasks"].values() for state in states} == {"success"}
    [counts] = airflow.rows(
        "SELECT (SELECT count(*) FROM raw.candle), (SELECT count(*) FROM marts.fct_candle)"
    )
    assert counts[0] == counts[1] > 720
