"""What Prometheus reads: every listed metric, from the real Postgres, cheaply, by convention."""

from __future__ import annotations

import re
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from mela.settings import Settings
from services.monitoring.all_metrics import EXPORTED, Exported, table
from services.monitoring.exporter import Measured, ServiceSample, serve
from services.monitoring.job_state import JobState, QueryState, now, state_file, write_state
from services.monitoring.query_progress import READS, checkpoint
from stack.ports import choose
from tests.live.stored import a_session
from tests.warehouse.given import a_document, a_run, a_scene, answer, load
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records, stages
from warehouse.scenes.stages import Stage
from warehouse.trading import alerts, beats

UNITS = {"seconds", "bytes"}
SERVICES = [ServiceSample("mlflow", is_healthy=False, restarts=2, cpu_s=1.5, memory_bytes=2**20)]


@pytest.mark.parametrize("one", EXPORTED, ids=lambda one: one.name)
def test_names_follow_the_conventions(one: Exported) -> None:
    assert re.fullmatch(r"mela_[a-z]+(_[a-z]+)*", one.name)
    assert not one.name.endswith(("_total", "_count", "_sum", "_info"))  # the kind adds these
    assert all(re.fullmatch(r"[a-z]+", label) for label in one.labels)
    assert one.help[0].isupper()
    assert one.help.endswith(".")
    has_unit = one.name.rpartition("_")[2] in UNITS
    assert has_unit == bool(re.search(r", in (seconds|bytes)", one.help)), "the unit is in both"
    assert has_unit or "as a number" in one.help or "1 or 0" in one.help


def test_no_metric_is_listed_twice() -> None:
    names = [name for one in EXPORTED for name in one.samples]
    assert len(names) == len(set(names))


def test_the_page_lists_what_is_exported() -> None:
    lines = table().splitlines()
    assert len(lines) == len(EXPORTED) + 2
    for one in EXPORTED:
        assert any(f"`{one.samples[0]}`" in line and one.help in line for line in lines)


@pytest.fixture
def measured(warehouse: Settings, tmp_path: Path) -> Settings:
    """A warehouse with one finished and one rejected scene, and a job at work, without Kafka."""
    settings = warehouse.model_copy(
        update={
            "home": tmp_path,
            "kafka": warehouse.kafka.model_copy(update={"brokers": "127.0.0.1:9"}),
        }
    )
    scene_id = a_scene(settings)
    load(settings, answer([1.0]))
    with transaction(settings) as connection:
        stages.reached(connection, [scene_id], {Stage.PUBLISHED: None, Stage.TAKEN: None})
        records.set_planned(connection, scene_id, cached=0)
        assert not results.save(connection, [a_document(a_run(5), scene_id)])
        stages.reached(connection, [scene_id], {Stage.RECORDED: None, Stage.CONCLUDING: None})
        stages.reached(connection, [scene_id], {Stage.MIRRORING: None, Stage.MIRRORED: None})
        records.set_finished(connection, scene_id, best=None, mlflow_run_id=None)
    state_file(tmp_path).parent.mkdir(parents=True)
    queries = [QueryState(name=name, batches=3, batch_s=1.5, all_failures=1) for name in READS]
    write_state(tmp_path, JobState(pid=1, at=now(), ready=True, queries=tuple(queries)))
    folder = checkpoint(tmp_path, "plan")
    for name in ("commits", "offsets"):
        (folder / name).mkdir(parents=True)
        (folder / name / "4").write_text('v1\n{}\n{"mela.scenes":{"0":7}}')
    return settings


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.integration
def test_what_is_known_is_served_and_what_is_not_is_left_out(measured: Settings) -> None:
    port = choose(())
    serve(measured, "127.0.0.1", port, lambda: SERVICES)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        found = samples(page.read().decode())

    assert found["mela_source_up['warehouse']"] == found["mela_source_up['job']"] == 1
    assert found["mela_source_up['kafka']"] == 0
    assert not [name for name in found if name.startswith("mela_query_lag_messages")]
    assert found["mela_service_healthy['mlflow']"] == 0
    assert found["mela_service_watchdog_restarts_total['mlflow']"] == 2
    assert found["mela_scenes['finished']"] == 1
    assert found["mela_query_messages_total['plan']"] == 7
    assert found["mela_query_batches_total['plan']"] == 5
    assert found["mela_query_batches_total['run']"] == 0
    assert found["mela_query_batch_seconds_sum['run']"] == 1.5
    assert found["mela_query_batch_seconds_count['run']"] == 3
    assert found["mela_scene_stage_seconds_count['answered']"] == 1


@pytest.mark.integration
def test_every_listed_metric_of_a_source_that_answers_has_its_kind_and_help(
    measured: Settings,
) -> None:
    registry = CollectorRegistry()
    registry.register(Measured(measured, lambda: SERVICES))
    families = {
        family.name: family
        for family in text_string_to_metric_families(generate_latest(registry).decode())
    }
    for one in EXPORTED:
        if one.source == "kafka":
            continue
        assert families[one.name].documentation == one.help
        assert families[one.name].type == one.kind


@pytest.mark.integration
def test_a_scrape_is_cheap_and_several_at_once_share_one(measured: Settings) -> None:
    collector = Measured(measured, lambda: SERVICES)
    values = collector.values()
    took = dict(values["mela_scrape_duration_seconds"])
    assert took[("warehouse",)] < 1.0
    assert took[("checkpoints",)] < 0.5

    began = time.thread_time()  # other work on the machine does not count
    assert collector.values() is values
    assert time.thread_time() - began < 0.05


@pytest.mark.integration
def test_trading_is_measured_from_what_is_stored(measured: Settings) -> None:
    session_id = a_session(measured)
    with transaction(measured) as connection:
        connection.exec_driver_sql("TRUNCATE ops.live_beat, ops.alert_outbox, ops.alert_receiver")
    values = Measured(measured).values()
    assert ("running",) in dict(values["mela_trading_sessions"])
    assert values["mela_trading_beat_age_seconds"] == [((), 86_400.0)]
    with transaction(measured) as connection:
        beats.beat(
            connection, "p", now(), started_at=now(), candles=9, decisions=4, decision_s=0.5,
            waiting=3,
        )  # fmt: skip
        alerts.put(connection, alerts.Alert("error", "a", "title", "body", session_id))
        connection.execute(text("UPDATE ops.session SET started_at = now() - interval '3 hours'"))
        connection.execute(
            text(
                "INSERT INTO ops.session_verdict (session_id, seq, instrument, candle_at,"
                " is_allowed, code, saw) VALUES (:id, 1, 'x', now(), false, 'max_open', '{}'),"
                " (:id, 2, 'x', now(), true, 'passed', '{}')"
            ),
            {"id": session_id},
        )
    values = Measured(measured).values()
    assert values["mela_trading_beat_age_seconds"][0][1] < 60
    assert values["mela_trading_decision_seconds"] == [((), (4, 0.5))]
    assert values["mela_trading_refusals"] == [(("max_open",), 1)]
    assert dict(values["mela_alerts"])[("waiting",)] == 1
    [(interval, lag)] = values["mela_trading_candle_lag_seconds"]
    assert interval == ("1h",)
    assert 3_600 < lag < 2 * 3_600 + 60  # the candle that opened within the first hour
