"""Postgres and Kafka, whose images are not ours, read the files by which `mela up` goes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mela.settings import REPOSITORY, Settings
from messaging.topics import MAX_BROKER_BYTES
from stack import account, broker, database, fetch
from stack.java import java_home
from tests.delivery.containers import environment_of, said

STACK = REPOSITORY / "stack"


def properties(text: str) -> dict[str, str]:
    """Return what a file of properties says; the last word on a key counts, as in Java."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def on_postgres(*command: str) -> subprocess.CompletedProcess[str]:
    return said(*account.prefix(), *command, cwd="/")


def test_both_ways_read_the_same_files(project: dict[str, Any]) -> None:
    sources = {name: REPOSITORY / one["file"] for name, one in project["configs"].items()}

    assert sources["postgres"] == database._CONFIG  # pyright: ignore[reportPrivateUsage]
    assert sources["kafka"] == broker._CONFIG  # pyright: ignore[reportPrivateUsage]
    for name in ("postgres", "kafka"):
        assert project["services"][name]["configs"][0]["source"] == name


@pytest.mark.integration
def test_postgres_reads_the_container_s_command_as_it_is_meant(
    project: dict[str, Any], postgres: Settings
) -> None:
    """Asked of the real server, which prints a setting as it would take it."""
    mounted = project["services"]["postgres"]["configs"][0]["target"]
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
    project: dict[str, Any], tmp_path: Path
) -> None:
    """The program that the image runs first, on the file that is mounted and its environment."""
    mounted, final = tmp_path / "mounted", tmp_path / "final"
    for folder in (mounted, final, tmp_path / "data"):
        folder.mkdir()
    target = Path(project["services"]["kafka"]["configs"][0]["target"])
    assert target == Path("/mnt/shared/config/server.properties")  # where the image looks
    (mounted / target.name).write_text((STACK / "kafka.properties").read_text(encoding="utf-8"))
    given = environment_of(project["services"]["kafka"])
    given |= {"KAFKA_LOG_DIRS": str(tmp_path / "data"), "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}

    settings = Settings()
    fetch.ensure_jars(settings)
    done = said(
        *(str(java_home(settings) / "bin" / "java"), "-XX:TieredStopAtLevel=1"),
        *("-cp", fetch.broker_classpath(settings), "kafka.docker.KafkaDockerWrapper", "setup"),
        *("--default-configs-dir", str(mounted), "--mounted-configs-dir", str(mounted)),
        *("--final-configs-dir", str(final)),
        env=given,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = properties((final / target.name).read_text(encoding="utf-8"))

    assert (tmp_path / "data" / "meta.properties").exists()  # formatted: the settings are sound
    assert properties((STACK / "kafka.properties").read_text()).items() <= found.items()
    assert found["advertised.listeners"] == "PLAINTEXT://kafka:9092,OUTSIDE://127.0.0.1:9094"
    assert int(found["message.max.bytes"]) == MAX_BROKER_BYTES
