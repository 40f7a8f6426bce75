"""The process that trades, as a service. `live/` defines what it does."""

from __future__ import annotations

import sys
import time

from mela.settings import REPOSITORY
from services.trading import process_state
from stack import environment, guard, healthy, roles
from stack.service import Program, Service, Site, marked

NAME = "live"
# Secrets that other programs need, and this one does not. A broker's keys it needs.
_NOT_ITS_OWN = ("MELA_SPARK__SECRET", "MELA_AIRFLOW__PASSWORD", "MELA_MLFLOW__PASSWORD")


def service() -> Service:
    """Describe the process to the supervisor."""
    return Service(
        name=NAME,
        address=lambda _: "sessions of paper and live trading",
        program=_program,
        needs=("postgres", "kafka"),
        probe=_probe,
    )


def _program(site: Site) -> Program:
    kept = {key: text for key, text in site.kept.items() if not key.startswith("MELA_STACK_")}
    known = {**environment.explicit_settings(site.settings), **kept}
    return Program(
        command=(sys.executable, "-m", "live"),
        environment={
            **{key: text for key, text in known.items() if key not in _NOT_ITS_OWN},
            "MELA_POSTGRES__USER": roles.LIVE,
            "MELA_POSTGRES__PASSWORD": site.kept[roles.LIVE_PASSWORD],
            **guard.live_variables(site),
            **marked(site),
        },
        directory=REPOSITORY,
        stop_wait_s=15,
    )


def _probe(site: Site, pid: int) -> str | None:
    state = process_state.read_state(site.home)
    if state is None:
        return "it has not begun yet"
    return healthy.live(state.pid, state.at.isoformat(), pid, time.time())
