"""Spark's master and workers, for a deployment in containers with a cluster.

`mela up` needs neither, because its streaming job runs all of Spark in one process. Access to the
cluster requires its secret.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from mela.errors import StackFailed
from stack import healthy, http
from stack.java import java_home
from stack.packages import installed
from stack.service import Program, Service, Site, marked

CORES, MEMORY = "MELA_STACK_SPARK_WORKER_CORES", "MELA_STACK_SPARK_WORKER_MEMORY"
WORKER_HOST = "MELA_STACK_SPARK_WORKER_HOST"  # the worker's address for others; by default its name
MASTER_UI, WORKER_UI = "MELA_STACK_SPARK_MASTER_UI_PORT", "MELA_STACK_SPARK_WORKER_UI_PORT"
_SMALL = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # they only coordinate
_CLASSES = "org.apache.spark.deploy"


def services() -> tuple[Service, ...]:
    """Describe the master and a worker."""
    return (
        Service(
            name="spark-master",
            address=lambda settings: settings.spark.master,
            program=_master,
            prepare=_prepare,
            probe=lambda site, _pid: _probe_master(site),
        ),
        Service(
            name="spark-worker",
            address=lambda _settings: "",
            program=_worker,
            needs=("spark-master",),
            prepare=_prepare,
            probe=lambda site, _pid: _probe_worker(site),
        ),
    )


def _secret(site: Site) -> dict[str, str]:
    shared = site.settings.spark.secret.get_secret_value()
    return {"_SPARK_AUTH_SECRET": shared} if shared else {}


def _master(site: Site) -> Program:
    host, port = _where(site)
    words = ("--host", host, "--port", str(port), "--webui-port", _master_ui(site))
    return _program(site, "master.Master", *words)


def _worker(site: Site) -> Program:
    return _program(
        site,
        "worker.Worker",
        *("--host", _worker_host(site), "--webui-port", _worker_ui(site)),
        *("--cores", site.kept[CORES], "--memory", site.kept[MEMORY]),
        site.settings.spark.master,
    )


def _program(site: Site, name: str, *words: str) -> Program:
    home = installed("pyspark")
    options = [*_SMALL, "-Dspark.ui.killEnabled=false", "-Dspark.worker.cleanup.enabled=true"]
    options += ["-Dspark.authenticate=true"] if _secret(site) else []
    return Program(
        command=(str(home / "bin" / "spark-class"), f"{_CLASSES}.{name}", *words),
        environment={
            "JAVA_HOME": str(java_home(site.settings)),
            "SPARK_HOME": str(home),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LAUNCHER_OPTS": " ".join(_SMALL),
            "SPARK_DAEMON_JAVA_OPTS": " ".join(options),
            "SPARK_WORKER_DIR": str(site.home / "spark" / "work"),
            "SPARK_LOCAL_DIRS": str(site.home / "spark" / "scratch"),
            "PYSPARK_PYTHON": sys.executable,
            **_secret(site),
            **marked(site),
        },
        directory=site.home,
        stop_wait_s=20,
    )


def _prepare(site: Site) -> None:
    for name in ("work", "scratch"):
        (site.home / "spark" / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def _where(site: Site) -> tuple[str, int]:
    address = urlsplit(site.settings.spark.master)
    if address.scheme != "spark" or not address.hostname or not address.port:
        raise StackFailed(
            f"expected MELA_SPARK__MASTER as spark://host:port, but found "
            f"{site.settings.spark.master!r}; docker-compose.yml sets it"
        )
    return address.hostname, address.port


def _probe_master(site: Site) -> str | None:
    try:
        return healthy.master(_reported_state(_where(site)[0], _master_ui(site)))
    except (StackFailed, ValueError, KeyError) as error:
        return str(error)


def _probe_worker(site: Site) -> str | None:
    """Ask the master about its workers: a lost worker may still consider itself healthy."""
    try:
        worker_id = _reported_state(_worker_host(site), _worker_ui(site))["id"]
        known = _reported_state(_where(site)[0], _master_ui(site))["workers"]
        return healthy.worker(worker_id, known)
    except (StackFailed, ValueError, KeyError) as error:
        return str(error)


def _worker_host(site: Site) -> str:
    return site.kept.get(WORKER_HOST, socket.gethostname())


def _master_ui(site: Site) -> str:
    return site.kept.get(MASTER_UI, "8080")


def _worker_ui(site: Site) -> str:
    return site.kept.get(WORKER_UI, "8081")


def _reported_state(host: str, port: str) -> dict[str, Any]:
    return json.loads(http.get(f"http://{host}:{port}/json/"))
