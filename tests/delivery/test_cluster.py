"""Spark's master, a worker and a driver, by the image's entry point, find and trust each other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mela.settings import Settings
from stack import fetch
from stack.ports import choose
from tests.delivery.containers import Image, health_check, image_entry, said

pytestmark = pytest.mark.integration
WAIT_S = 90
# What the streaming job does to find out how much it may use: Python on the workers, by batches.
DRIVER = """
import os
from mela.settings import Settings
from streaming.session import session

def seen(parts):
    import streaming.run
    for part in parts:
        yield part

spark = session(Settings())
print("counted", spark.range(1000, numPartitions=2).mapInArrow(seen, "id bigint").count())
print("on", spark.sparkContext.master, "cores", spark.sparkContext.defaultParallelism)
spark.stop()
"""


@pytest.fixture(scope="module")
def cluster(
    environment: dict[str, str], image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A master and one worker, each served as a container would, in a home of its own."""
    master, master_ui, worker_ui = (choose(()) for _ in range(3))
    given = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "MELA_STACK_SECURE": "true",
        "SPARK_LOCAL_IP": "127.0.0.1",  # of a test: nobody else shall reach it
        "MELA_JAVA": "bundled",
        "MELA_SPARK__MASTER": f"spark://localhost:{master}",
        "MELA_SPARK__DRIVER_HOST": "localhost",
        "MELA_SPARK__SECRET": environment["MELA_SPARK__SECRET"],
        "MELA_SPARK__EXECUTOR_MEMORY": "512m",
        "MELA_STACK_SPARK_WORKER_HOST": "localhost",
        "MELA_STACK_SPARK_MASTER_UI_PORT": str(master_ui),
        "MELA_STACK_SPARK_WORKER_UI_PORT": str(worker_ui),
        "MELA_STACK_SPARK_WORKER_CORES": "2",
        "MELA_STACK_SPARK_WORKER_MEMORY": "1g",
    }
    homes = {name: tmp_path_factory.mktemp(name) for name in ("spark-master", "spark-worker")}
    logs = {name: (home / "said").open("w") for name, home in homes.items()}
    served = {
        name: subprocess.Popen(
            image.here([*image_entry(), "serve", name]),
            env={**given, "MELA_HOME": str(home)},
            cwd=home,
            stdout=logs[name],
            stderr=subprocess.STDOUT,
        )
        for name, home in homes.items()
    }
    try:
        for home in homes.values():
            wait_until_healthy({**given, "MELA_HOME": str(home)}, image, home)
        yield given
    finally:
        for process in served.values():
            process.terminate()
        for process in served.values():
            process.wait(30)
        for log in logs.values():
            log.close()


def wait_until_healthy(given: dict[str, str], image: Image, home: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        asked = said(*health_check(image), env=given, cwd=home)
        if asked.returncode == 0:
            return
        assert time.monotonic() < deadline, asked.stderr + (home / "said").read_text()[-2000:]
        time.sleep(1)  # asking costs more than it takes


def drive(given: dict[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    settings = Settings()
    fetch.ensure_jars(settings)
    told = {"MELA_SPARK__JARS": fetch.spark_jars(settings), "MELA_HOME": str(home)}
    return said(sys.executable, "-c", DRIVER, env={**given, **told}, cwd=home)


def test_the_job_s_session_works_on_a_worker_that_shares_its_secret(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    from stack.java import java_home

    java = {"JAVA_HOME": str(java_home(Settings())), "PYSPARK_PYTHON": sys.executable}
    done = drive({**cluster, **java}, tmp_path)

    assert "counted 1000" in done.stdout, done.stderr[-3000:]
    assert f"on {cluster['MELA_SPARK__MASTER']} cores 2" in done.stdout


def test_a_worker_that_the_master_does_not_know_is_not_well(
    cluster: dict[str, str], image: Image, tmp_path: Path
) -> None:
    home = tmp_path
    (home / "run").mkdir()
    (home / "run" / "serving.json").write_text('["spark-worker", 1]', encoding="utf-8")
    given = {**cluster, "MELA_HOME": str(home), "MELA_STACK_SPARK_WORKER_UI_PORT": "1"}
    asked = said(*health_check(image), env=given, cwd=home)

    assert asked.returncode == 1
    assert asked.stderr.startswith("spark-worker: no answer from http://localhost:1/json/")
