"""The process that trains models, as a service. `trainer/` defines what it does."""

from __future__ import annotations

import sys
import time

from mela.settings import REPOSITORY
from services.models import trainer_state
from stack import environment, guard, healthy, roles
from stack.service import Program, Service, Site, marked

NAME = "trainer"
NICENESS = 10  # a training takes minutes in any case, and a backtest shall not
# Secrets that other programs need, and this one does not.
_NOT_ITS_OWN = (
    *("MELA_SPARK__SECRET", "MELA_AIRFLOW__PASSWORD", "MELA_ALPACA__KEY", "MELA_ALPACA__SECRET"),
    *("MELA_KAFKA__READER", "MELA_KAFKA__READER_PASSWORD"),
)


def service() -> Service:
    """Describe the process to the supervisor."""
    return Service(
        name=NAME,
        address=lambda _: "scenes of kind train",
        program=_program,
        needs=("postgres", "kafka"),
        probe=_probe,
    )


def _program(site: Site) -> Program:
    kept = {key: text for key, text in site.kept.items() if not key.startswith("MELA_STACK_")}
    known = {**environment.explicit_settings(site.settings), **kept}
    return Program(
        command=(sys.executable, "-m", "trainer"),
        environment={
            **{key: text for key, text in known.items() if key not in _NOT_ITS_OWN},
            "MELA_POSTGRES__USER": roles.TRAINER,
            "MELA_POSTGRES__PASSWORD": site.kept[roles.TRAINER_PASSWORD],
            **guard.trainer_variables(site),
            **marked(site),
        },
        directory=REPOSITORY,
        stop_wait_s=15,
        niceness=NICENESS,
    )


def _probe(site: Site, pid: int) -> str | None:
    state = trainer_state.read_state(site.home)
    if state is None:
        return "it has not begun yet"
    return healthy.trainer(state.pid, state.at.isoformat(), pid, time.time())
