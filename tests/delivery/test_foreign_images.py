"""Postgres and Kafka, whose images are not ours, read the files by which `mela up` goes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mela.messages import PROGRESS, SCENES
from mela.settings import REPOSITORY, Settings, default_home
from messaging.consumer import check_broker, tail
from messaging.topics import MAX_BROKER_BYTES
from stack import account, broker, container_files, database, fetch, guard
from stack.container import main, site
from stack.java import java_home
from stack.ports import choose
from tests.delivery.containers import environment_of, said

STACK = REPOSITORY / "stack"


def properties(text: str) -> dict[str, str]:
    """Return what a file of properties says; the last word on a key counts, as in Java."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def on_postgres(*command: str) -> subprocess.CompletedProcess[str]:
    return said(*account.prefix(), *command, cwd="/")


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the container `files` lays, under the strictest umask, in a home of its own."""
    monkeypatch.setenv("MELA_HOME", str(tmp_path))
    monkeypatch.setenv(guard.SECURE, "true")
    for name in (container_files.SETTINGS, container_files.AUTHORITY, container_files.MONITORING):
        (tmp_path / name).mkdir()
    before = os.umask(0o077)
    try:
        container_files.lay(site())
    finally:
        os.umask(before)
    return tmp_path


def test_both_ways_read_the_same_files(laid_out: Path) -> None:
    settings = laid_out / container_files.SETTINGS
    written = properties((settings / "server.properties").read_text(encoding="utf-8"))

    assert (settings / "postgresql.conf").read_bytes() == database.CONFIG.read_bytes()
    assert properties(broker.CONFIG.read_text(encoding="utf-8")).items() <= written.items()
    assert properties(guard.broker_properties(laid_out)).items() <= written.items()


def test_other_images_may_read_what_is_for_them_and_no_key_more(laid_out: Path) -> None:
    modes = {
        str(path.relative_to(laid_out)): path.stat().st_mode & 0o777
        for path in laid_out.rglob("*")
        if path.is_file()
    }
    assert modes == {
        "settings/postgresql.conf": 0o644,
        "settings/server.properties": 0o644,
        "authority/ca.pem": 0o644,
        "monitoring/prometheus.yml": 0o644,
        "monitoring/alerts.yml": 0o644,
        "monitoring/grafana/datasources/mela.yml": 0o644,
        "monitoring/grafana/dashboards/mela.yml": 0o644,
        "monitoring/boards/dashboard.json": 0o644,
        "monitoring/boards/trading.json": 0o644,
        "kafka/tls/ca.pem": 0o644,
        "kafka/tls/broker.pem": 0o640,  # by its group, which Kafka's container is given
        "kafka/tls/admin.pem": 0o600,
    }
    folders = [path for path in (laid_out / container_files.MONITORING).rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o755}
    made = (laid_out / "kafka/tls/broker.pem").read_bytes()
    container_files.lay(site())
    assert (laid_out / "kafka/tls/broker.pem").read_bytes() == made


@pytest.mark.integration
def test_postgres_reads_the_container_s_command_as_it_is_meant(
    project: dict[str, Any], postgres: Settings
) -> None:
    """Asked of the real server, which prints a setting as it would take it."""
    mounted = "/etc/mela/postgresql.conf"
    assert "settings:/etc/mela:ro,nocopy" in project["services"]["postgres"]["volumes"]
    command = project["services"]["postgres"]["command"]
    assert command[0] == "postgres"
    public = postgres.home / "postgres" / "mounted.conf"
    public.write_text((STACK / "postgresql.conf").read_text(encoding="utf-8"), encoding="utf-8")
    account.give(public)
    words = [word.replace(mounted, str(public)) for word in command[1:]]
    data = postgres.home / "postgres" / "data"

    def setting(name: str) -> str:
        done = on_postgres(str(binary(postgres, "postgres")), "-D", str(data), *words, "-C", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert setting("listen_addresses") == "*"
    assert setting("port") == "5432"
    assert setting("shared_buffers") == "32768"  # blocks of 8 kB
    assert setting("password_encryption") == "scram-sha-256"
    assert setting("hba_file") == str(data / "pg_hba.conf")  # who may enter: initdb's own


def binary(settings: Settings, name: str) -> Path:
    return database._binary(settings.home, name)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.integration
def test_the_health_of_postgres_is_that_of_a_server_that_answers(
    project: dict[str, Any], postgres: Settings
) -> None:
    _, name, *words = project["services"]["postgres"]["healthcheck"]["test"]
    ready = str(binary(postgres, name))

    assert on_postgres(ready, *words, f"--port={postgres.postgres.port}").returncode == 0
    assert on_postgres(ready, *words, "--port=1").returncode != 0


@pytest.mark.integration
def test_the_container_s_cluster_lets_nobody_in_without_a_password(
    project: dict[str, Any], postgres: Settings
) -> None:
    """Made by initdb, told what the image tells it."""
    folder = postgres.home / "postgres" / "as-in-the-image"
    account.own(folder)
    password = folder / "password"
    password.write_text("only-for-this-test", encoding="utf-8")
    account.give(password)
    given = environment_of(project["services"]["postgres"])
    made = on_postgres(
        str(binary(postgres, "initdb")),
        *("--username=postgres", f"--pwfile={password}", f"--pgdata={folder / 'data'}"),
        *given["POSTGRES_INITDB_ARGS"].split(),
    )
    assert made.returncode == 0, made.stderr
    rules = (folder / "data" / "pg_hba.conf").read_text(encoding="utf-8").splitlines()
    methods = {rule.split()[-1] for rule in rules if rule and not rule.startswith("#")}

    assert methods == {"scram-sha-256"}
    assert "POSTGRES_HOST_AUTH_METHOD" not in given


def test_kafka_s_own_setup_accepts_what_the_container_is_told(
    project: dict[str, Any], laid_out: Path, tmp_path: Path
) -> None:
    """The program that the image runs first, on the file that is mounted and its environment."""
    assert "settings:/mnt/shared/config:ro,nocopy" in project["services"]["kafka"]["volumes"]
    target = laid_out / container_files.SETTINGS / "server.properties"  # where the image looks
    given = environment_of(project["services"]["kafka"])
    found = set_up(laid_out, tmp_path, given)

    assert (tmp_path / "data" / "meta.properties").exists()  # formatted: the settings are sound
    assert properties(target.read_text(encoding="utf-8")).items() <= found.items()
    outside = found["advertised.listeners"].split(",")[-1]
    assert outside == "OUTSIDE://127.0.0.1:9094"
    assert found["inter.broker.listener.name"] == "INTERNAL"
    assert int(found["message.max.bytes"]) == MAX_BROKER_BYTES


def set_up(laid_out: Path, folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Run the program that the image runs first; return the properties that it makes."""
    final = folder / "final"
    for made in (final, folder / "data"):
        made.mkdir()
    given |= {"KAFKA_LOG_DIRS": str(folder / "data"), "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}
    settings = Settings(home=default_home())
    fetch.ensure_jars(settings)
    done = said(
        *(str(java_home(settings) / "bin" / "java"), "-XX:TieredStopAtLevel=1"),
        *("-cp", fetch.broker_classpath(settings), "kafka.docker.KafkaDockerWrapper", "setup"),
        *("--default-configs-dir", str(laid_out / container_files.SETTINGS)),
        *("--mounted-configs-dir", str(laid_out / container_files.SETTINGS)),
        *("--final-configs-dir", str(final)),
        env=given,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return properties((final / "server.properties").read_text(encoding="utf-8"))


@pytest.mark.integration
def test_the_container_s_kafka_is_guarded_and_answers_its_health_check(
    project: dict[str, Any],
    laid_out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker itself on the container's settings; only ports and the name `kafka` differ."""
    kafka = project["services"]["kafka"]
    ports: dict[str, str] = {}
    for port in ("9091", "9092", "9093", "9094", "9095"):
        ports[port] = str(choose([int(one) for one in ports.values()]))

    def here(text: str) -> str:
        text = re.sub(r"909[1-5]", lambda match: ports[match[0]], text)
        return text.replace("://kafka:", "://localhost:").replace("//:", "//127.0.0.1:")

    set_up(laid_out, tmp_path, {k: here(v) for k, v in environment_of(kafka).items()})
    health = [here(word).replace("$$", "$") for word in kafka["healthcheck"]["test"][1:]]
    assert said(*health).returncode != 0
    settings = Settings(home=default_home())
    java = (str(java_home(settings) / "bin" / "java"), "-Xmx256m", "-XX:TieredStopAtLevel=1")
    properties_file = str(tmp_path / "final" / "server.properties")
    words = (*java, "-cp", fetch.broker_classpath(settings), "kafka.Kafka", properties_file)
    log = (tmp_path / "said").open("w")
    with log, subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT) as broker_:
        try:
            deadline = time.monotonic() + 120
            while said(*health).returncode != 0:
                assert time.monotonic() < deadline
                assert broker_.poll() is None, (tmp_path / "said").read_text()[-3000:]
                time.sleep(0.3)
            for key, value in environment_of(project["services"]["topics"]).items():
                monkeypatch.setenv(key, here(value).replace("kafka:", "localhost:"))
            monkeypatch.setenv(
                "MELA_KAFKA__CA", str(laid_out / container_files.AUTHORITY / "ca.pem")
            )
            assert main(["finish", "kafka"]) == 0
            asked = Settings()
            check_broker(asked, SCENES)
            tail(asked, PROGRESS).close()
            nobody = AdminClient(
                {"bootstrap.servers": f"127.0.0.1:{ports['9095']}", "log_level": 0}
            )
            with pytest.raises(KafkaException):  # who may not even learn where the broker is
                nobody.list_topics(timeout=5)
        finally:
            broker_.terminate()
