"""The Spark Structured Streaming job as a service. `streaming/` defines what it does."""

from __future__ import annotations

import json
import sys

from mela.settings import REPOSITORY
from stack import fetch
from stack.environment import explicit_settings
from stack.java import java_home
from stack.ports import LOOPBACK
from stack.service import Program, Service, Site, marked


def service() -> Service:
    """Describe the streaming job to the supervisor."""
    return Service(
        name="spark",
        address=lambda settings: settings.spark.master,
        program=_program,
        needs=("postgres", "kafka"),
        prepare=_prepare,
        probe=_probe,
    )


def _program(site: Site) -> Program:
    return Program(
        command=(sys.executable, "-m", "streaming.job"),
        environment={
            "JAVA_HOME": str(java_home(site.settings)),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            **({"SPARK_LOCAL_IP": LOOPBACK} if site.listen == LOOPBACK else {}),
            "SPARK_LOCAL_DIRS": str(site.home / "spark" / "scratch"),
            **explicit_settings(site.settings),
            **_addresses(site),
            "MELA_SPARK__JARS": fetch.spark_jars(site.settings),
            **marked(site),
        },
        directory=REPOSITORY,
        stop_wait_s=20,
    )


def _addresses(site: Site) -> dict[str, str]:
    """Return stack.env's addresses as variables, so that the job restarts if one moves."""
    keys = ("MELA_POSTGRES__PORT", "MELA_KAFKA__BROKERS", "MELA_MLFLOW__URL")
    return {key: site.kept[key] for key in keys}


def _prepare(site: Site) -> None:
    fetch.ensure_jars(site.settings)
    (site.home / "spark" / "scratch").mkdir(mode=0o700, parents=True, exist_ok=True)


def _probe(site: Site, pid: int) -> str | None:
    """Check that the job's `ready` file was written by the process that runs now."""
    ready = site.home / "spark" / "ready"
    try:
        told_pid = json.loads(ready.read_text(encoding="utf-8"))["pid"]
    except FileNotFoundError:
        return "its queries have not started yet"
    except (ValueError, KeyError, TypeError) as error:
        return f"{ready} cannot be read: {error!r}"
    return None if told_pid == pid else "its queries have not started again yet"
