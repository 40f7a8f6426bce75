"""`mela up --cluster`: three brokers and two Spark workers, of which one each is killed at work."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

import stack
from mela.errors import StackFailed
from mela.messages import RUNS, SCENES, State
from mela.scene import Scene
from mela.settings import Settings, SparkSettings
from replay import ReplayServer
from stack import environment, guard, layout, registry, watchdog
from stack.service import Site
from stack.supervision import Supervisor
from stack.sweep import processes
from tests.integration.asking import answers, grid, scene_of, send, wait_for
from tests.storm.faults import kill
from tests.storm.history import (
    Heard,
    equal_without_faults,
    progress_goes_forward,
    stored_whole_and_once,
)
from warehouse.ingestion.ingest import ingest

SPAN = datetime(2022, 11, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
# A chunk whose worker died is executed run by run: a small one costs seconds, a large one a minute.
CHUNK = 25


@pytest.fixture(scope="module")
def cluster(packaged: ReplayServer) -> Iterator[Settings]:
    """A guarded cluster without Airflow and MLflow, which add nothing here."""
    folder = Path(tempfile.mkdtemp(prefix="mela-cluster-", dir="/tmp"))
    folder.chmod(0o755)
    spark = SparkSettings(chunk_runs=CHUNK, executor_memory="512m")
    with pytest.MonkeyPatch.context() as scope:
        for name in [name for name in os.environ if name.startswith("MELA_")]:
            scope.delenv(name)
        shutil.copytree(Path(__file__).with_name("spying"), folder / "packages")
        (folder / "mlflow-sign-in.ini").touch()  # of MLflow, which does not run; spying looks there
        try:
            stack.up(Settings(home=folder, spark=spark), cluster=True, secure=True, only={"spark"})
            found = environment.fresh(Settings(home=folder, spark=spark))
            ingest(
                "binance:BTCUSDT",
                "1h",
                *SPAN,
                found.model_copy(update={"replay_url": packaged.url}),
            )
            yield found
        finally:
            stack.down(Settings(home=folder))
            left = [one.pid for one in processes(folder)]
            shutil.rmtree(folder)
            assert not left


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_cluster_loses_a_broker_and_a_worker_and_goes_on(cluster: Settings) -> None:
    """Scenes before, during and after end complete, each run stored once, equal to this process."""
    heard = Heard(cluster)
    before, spying = scene_of(), scene_of(strategy={"name": "spying"}, end="2023-01-05T00:00:00Z")
    for scene in (before, spying):
        send(scene, cluster)
    _wait(heard, before, lambda: heard.has_ended(before.scene_id))
    during = _half_recorded(heard, cluster)
    leader = _leader_of(SCENES, cluster)
    assert kill(leader, cluster)
    assert kill(layout.WORKERS[0], cluster)
    after = scene_of(search=grid(5, 10))
    send(after, cluster)

    for scene in (before, during, after):
        _wait(heard, scene, lambda scene=scene: heard.has_ended(scene.scene_id))
        assert heard.of(scene.scene_id)[-1].state is State.FINISHED
        progress_goes_forward(heard.of(scene.scene_id))
        equal_without_faults(scene, stored_whole_and_once(scene, cluster), cluster)
    [spied] = answers(spying.scene_id, cluster)  # a strategy on a worker finds no secret there
    assert "reached: nothing" in spied["error"]["sentence"]
    wait_for(lambda: all(one.healthy for one in _running(cluster)), 60, "all are well again")
    restarted = {one.name for one in _running(cluster) if one.restarts}
    assert restarted == {leader, layout.WORKERS[0]}  # nothing else has died of it


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_message_counts_as_taken_when_two_of_three_brokers_have_it(cluster: Settings) -> None:
    admin = _admin(cluster)
    for name, topic in admin.list_topics(timeout=10).topics.items():
        assert {len(one.replicas) for one in topic.partitions.values()} == {layout.COPIES}, name
    asked = ConfigResource(ResourceType.TOPIC, RUNS)
    [found] = admin.describe_configs([asked]).values()
    assert found.result(10)["min.insync.replicas"].value == "2"


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_cluster_listens_on_loopback_only_and_shows_no_secret(cluster: Settings) -> None:
    ours = {one.pid: one for one in processes(cluster.home)}
    listening = {
        found.laddr.ip.removeprefix("::ffff:")
        for found in psutil.net_connections()
        if found.pid in ours
        and (found.status == psutil.CONN_LISTEN or found.type == socket.SOCK_DGRAM)
    }
    assert listening == {"127.0.0.1"}
    shared = cluster.spark.secret.get_secret_value()
    assert shared
    assert not any(shared in word for one in ours.values() for word in one.cmdline())
    logs = [*(cluster.home / "logs").iterdir(), *(cluster.home / "spark").rglob("[!.]*")]
    assert not any(shared in log.read_text(errors="replace") for log in logs if log.is_file())
    said = (cluster.home / "logs" / f"{layout.WORKERS[1]}.log").read_text(errors="replace")
    assert "chunk_executed" in said  # `mela logs` shows what Python did on a worker


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_running_cluster_is_not_turned_into_one_of_each(cluster: Settings) -> None:
    pids = {one.name: one.pid for one in _running(cluster)}
    with pytest.raises(StackFailed, match=r"mela up --single.*go on with `mela up --cluster`"):
        stack.up(Settings(home=cluster.home), cluster=False, only={"spark"})
    stack.up(cluster, only={"spark"})  # it stays a cluster, and nothing of it is started anew
    assert {one.name: one.pid for one in _running(cluster)} == pids


def _half_recorded(heard: Heard, settings: Settings) -> Scene:
    """Publish a grid, and return when a part of it is recorded; a larger one if that was all."""
    for times in range(1, 5):
        runs = 2_000 * times
        scene = scene_of(search=grid(40, 50 * times), end="2023-06-01T00:00:00Z")
        send(scene, settings)
        _wait(heard, scene, lambda scene=scene: any(x.recorded for x in heard.of(scene.scene_id)))
        said = [one.recorded for one in heard.of(scene.scene_id) if one.recorded]
        if said[-1] < runs:
            return scene
    raise AssertionError("no grid was half recorded")


def _wait(heard: Heard, scene: Scene, held: Callable[[], bool]) -> None:
    until = time.monotonic() + 180
    while not held():
        assert time.monotonic() < until, f"{scene.scene_id}: {heard.of(scene.scene_id)[-1:]}"
        heard.listen()


def _running(settings: Settings) -> list[stack.ServiceStatus]:
    known = {one.name for one in Supervisor(settings.home).processes().values() if one.pid}
    return [one for one in stack.status(settings) if one.name in known]


def _admin(settings: Settings) -> AdminClient:
    kept = environment.read(settings.home)
    port = kept["MELA_STACK_KAFKA_2_INTERNAL_PORT"]
    return guard.admin_client(Site(settings, kept), f"127.0.0.1:{port}")


def _leader_of(topic: str, settings: Settings) -> str:
    """Return the broker on which a topic's first partition is written and read."""
    found = _admin(settings).list_topics(topic, timeout=10).topics[topic].partitions[0]
    return layout.BROKERS[found.leader - 1]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_home_with_topics_of_the_other_kind_is_refused_before_anything_starts(
    wanted: bool, tmp_path: Path
) -> None:
    data = layout.broker_data(tmp_path, 1, cluster=not wanted)
    data.mkdir(parents=True)
    (data / "meta.properties").touch()
    with pytest.raises(StackFailed, match=r"Choose another MELA_HOME, or go on with `mela up --"):
        stack.up(Settings(home=tmp_path), cluster=wanted)
    assert not (tmp_path / "run").exists()
    # a choice made before stays without being made again
    assert layout.chosen(tmp_path, layout.kind(not wanted), None, lambda *_: None) is not wanted


def test_a_part_of_the_cluster_that_somebody_else_chooses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_KAFKA__BROKERS", "127.0.0.1:9092")
    with pytest.raises(StackFailed, match="to choose MELA_KAFKA__BROKERS, but found it set"):
        layout.chosen(tmp_path, {}, True, lambda *_: None)
    assert layout.chosen(tmp_path, {}, None, lambda *_: None) is False


def test_in_a_cluster_the_job_stands_behind_all_and_kafka_means_every_broker() -> None:
    kept = layout.kind(True)
    found = registry.chosen({"spark"}, offline=False, kept=kept)
    assert set(found) == {"postgres", *layout.BROKERS, "spark-master", *layout.WORKERS, "spark"}
    assert set(registry.chosen({"kafka"}, offline=False, kept=kept)) == set(layout.BROKERS)
    seen: set[str] = set()
    for name, service in registry.services(kept).items():
        assert set(service.needs) <= seen
        seen.add(name)


def test_what_depends_on_a_group_waits_only_when_the_group_cannot_go_on() -> None:
    every = registry.services(layout.kind(True))
    depends_on = {name: (*one.needs, *one.asks) for name, one in every.items()}
    well: dict[str, str | None] = dict.fromkeys(every)
    for away, waits_for in (
        (("kafka-2", "spark-worker-1"), None),
        (("kafka-2", "kafka-3"), "kafka-"),
        (layout.WORKERS, "spark-worker-"),
        (("spark-master",), "spark-master"),
    ):
        missing = {**well, **dict.fromkeys(away, "it does not run")}
        found = watchdog.waits_for("spark", depends_on, layout.standing(missing))
        assert (found is None) if waits_for is None else found.startswith(waits_for)
