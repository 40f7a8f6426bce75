"""Spark's master and workers: of a deployment in containers, and of `mela up --cluster`.

`mela up` alone needs neither, because its streaming job runs all of Spark in one process. Access to
the cluster requires its secret.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mela.errors import StackFailed
from mela.settings import REPOSITORY
from stack import environment, fetch, healthy, http, layout
from stack.java import java_home
from stack.packages import installed
from stack.ports import LOOPBACK
from stack.service import Program, Service, Site, marked
from streaming.daemon import SECRET

CORES, MEMORY = "MELA_STACK_SPARK_WORKER_CORES", "MELA_STACK_SPARK_WORKER_MEMORY"
WORKER_HOST = "MELA_STACK_SPARK_WORKER_HOST"  # the worker's address for others; by default its name
MASTER_UI, WORKER_UI = "MELA_STACK_SPARK_MASTER_UI_PORT", "MELA_STACK_SPARK_WORKER_UI_PORT"
_SMALL = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # they only coordinate
_CLASSES = "org.apache.spark.deploy"
_NOTHING: Mapping[str, str] = {}
_HERE = {"SPARK_LOCAL_IP": LOOPBACK}  # else their pages would answer every network
CORES_HERE = 2  # of each worker: one for `run`, one for `record`


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
            probe=lambda site, _pid: _probe_worker(site, _worker_host(site), _worker_ui(site)),
        ),
    )


def services_here() -> tuple[Service, ...]:
    """Describe the master and the workers of `mela up --cluster`, all on this machine."""
    master = Service(
        name="spark-master",
        address=lambda settings: settings.spark.master,
        program=_master_here,
        prepare=_prepare_master,
        probe=lambda site, _pid: _probe_master(site),
    )
    return (master, *(_service_here(name) for name in layout.WORKERS))


def _service_here(name: str) -> Service:
    return Service(
        name=name,
        address=lambda _settings: "",
        program=lambda site: _worker_here(site, name),
        needs=("spark-master",),
        prepare=lambda site: _prepare_worker(site, name),
        probe=lambda site, _pid: _probe_worker(site, LOOPBACK, site.kept[ui_key(name)]),
    )


def ui_key(worker: str) -> str:
    """Return the key of stack.env for the port where a worker of this machine says how it is."""
    return f"MELA_STACK_{worker.upper().replace('-', '_')}_UI_PORT"


def _master_here(site: Site) -> Program:
    """Return the master, which finds its workers and the driver again after its own death."""
    host, port = _where(site)
    words = ("--host", host, "--port", str(port), "--webui-port", _master_ui(site))
    options = (
        "-Dspark.deploy.recoveryMode=FILESYSTEM",
        f"-Dspark.deploy.recoveryDirectory={_recovery(site)}",
        # however often executors were killed, the job goes on
        "-Dspark.deploy.maxExecutorRetries=-1",
    )
    return _program(site, "master.Master", *words, options=options, extra=_HERE)


def _worker_here(site: Site, name: str) -> Program:
    """Return a worker in the job's confinement, with the job's settings but for all secrets.

    Its executors start the Python processes that execute strategies, which so have no more than
    the streaming job on one machine gives them.
    """
    known = {**environment.explicit_settings(site.settings), **site.kept}
    settings = {
        key: text
        for key, text in known.items()
        if not key.startswith("MELA_STACK_") and not SECRET.fullmatch(key)
    }
    scratch = str(site.home / "spark" / "scratch")
    program = _program(
        site,
        "worker.Worker",
        *("--host", LOOPBACK, "--webui-port", site.kept[ui_key(name)]),
        *("--cores", str(CORES_HERE), "--memory", site.settings.spark.executor_memory),
        site.settings.spark.master,
        options=(
            f"-Djava.io.tmpdir={scratch}",  # /tmp may be closed: see `streaming.confinement`
            "-Dspark.executor.logs.rolling.strategy=size",
            f"-Dspark.executor.logs.rolling.maxSize={20 * 2**20}",
            "-Dspark.executor.logs.rolling.maxRetainedFiles=3",
        ),
        extra={
            **settings,
            **_HERE,
            "SPARK_WORKER_DIR": str(_work(site, name)),
            "TMPDIR": scratch,
            "PYTHONPATH": str(REPOSITORY),
        },
    )
    confined = (sys.executable, "-m", "streaming.confined", *program.command)
    return replace(program, command=confined, directory=REPOSITORY)


def _prepare_master(site: Site) -> None:
    """Forget the workers and jobs of an earlier stack, which the master would wait for."""
    shutil.rmtree(_recovery(site), ignore_errors=True)
    _prepare(site)


def _prepare_worker(site: Site, name: str) -> None:
    fetch.ensure_jars(site.settings)
    _prepare(site)
    for folder in (_work(site, name), site.home / "cache", site.home / "packages"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _work(site: Site, name: str) -> Path:
    return site.home / "spark" / "work" / name


def _recovery(site: Site) -> Path:
    return site.home / "spark" / "master"


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


def _program(
    site: Site,
    name: str,
    *words: str,
    options: tuple[str, ...] = (),
    extra: Mapping[str, str] = _NOTHING,
) -> Program:
    home = installed("pyspark")
    options = (
        *_SMALL,
        *options,
        "-Dspark.ui.killEnabled=false",
        "-Dspark.worker.cleanup.enabled=true",
    )
    options += ("-Dspark.authenticate=true",) if _secret(site) else ()
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
            **extra,
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


def _probe_worker(site: Site, host: str, port: str) -> str | None:
    """Ask the master about its workers: a lost worker may still consider itself healthy."""
    try:
        worker_id = _reported_state(host, port)["id"]
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
