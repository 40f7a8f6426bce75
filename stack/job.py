"""The Spark Structured Streaming job as a service. `streaming/` defines what it does."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from mela.settings import REPOSITORY
from services.monitoring.job_state import read_state
from stack import fetch, guard, healthy, layout, roles
from stack.environment import explicit_settings
from stack.java import java_home
from stack.ports import LOOPBACK
from stack.service import Program, Service, Site, marked

NAME = "spark"
# Secrets that other programs need, and the streaming job does not.
_NOT_ITS_OWN = (
    *("MELA_AIRFLOW__PASSWORD", "MELA_ALPACA__KEY", "MELA_ALPACA__SECRET"),
    *("MELA_KAFKA__READER", "MELA_KAFKA__READER_PASSWORD"),
    *("MELA_KAFKA__PASSWORD", "MELA_MLFLOW__PASSWORD"),
)


def service(kept: Mapping[str, str]) -> Service:
    """Describe the streaming job to the supervisor; in a cluster it is Spark's driver.

    kept: stack.env
    """
    needs = ("postgres", "kafka")
    if layout.is_cluster(kept):
        needs = ("postgres", *layout.BROKERS, "spark-master", *layout.WORKERS)
    return Service(
        name=NAME,
        address=lambda settings: settings.spark.master,
        program=_program,
        needs=needs,
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
            "TMPDIR": str(site.home / "spark" / "scratch"),
            **_settings(site),
            **guard.job_variables(site),
            "MELA_SPARK__JARS": fetch.spark_jars(site.settings),
            **marked(site),
        },
        directory=REPOSITORY,
        stop_wait_s=20,
    )


def _settings(site: Site) -> dict[str, str]:
    """Return the job's settings as variables, as it may not read stack.env: see `confinement`.

    It restarts if one changes. It signs in to Postgres by roles that own nothing.
    """
    kept = {key: text for key, text in site.kept.items() if not key.startswith("MELA_STACK_")}
    known = {**explicit_settings(site.settings), **kept}
    return {
        **{key: text for key, text in known.items() if key not in _NOT_ITS_OWN},
        "MELA_POSTGRES__USER": roles.JOB,
        "MELA_POSTGRES__PASSWORD": site.kept[roles.JOB_PASSWORD],
        "MELA_POSTGRES__RUN_USER": roles.RUN,
        "MELA_POSTGRES__RUN_PASSWORD": site.kept[roles.RUN_PASSWORD],
    }


def _prepare(site: Site) -> None:
    fetch.ensure_jars(site.settings)
    (site.home / "spark" / "scratch").mkdir(mode=0o700, parents=True, exist_ok=True)


def _probe(site: Site, pid: int) -> str | None:
    """Check that the process that runs now has all its queries running, and that none fails."""
    try:
        state = read_state(site.home)
    except ValueError as error:
        return str(error)
    if state is None:
        return "its queries have not started yet"
    missing = healthy.job(state.pid, state.ready, pid)
    if missing == healthy.NOT_AGAIN:
        return missing
    unwell = [query.sentence() for query in state.queries if not query.is_well]
    return state.silence() or "; ".join(unwell) or missing
