"""All services of the stack, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Collection

from mela.errors import StackFailed
from stack import broker, database, job, monitor, orchestration, replay, tracking
from stack.service import Service

AIRFLOW = "airflow"


def services() -> dict[str, Service]:
    """Return every service by name; dependencies come first."""
    known = (
        database.service(),
        broker.service(),
        tracking.service(),
        *orchestration.services(),
        job.service(),
        replay.service(),
        monitor.service(),
    )
    return {service.name: service for service in known}


def chosen(only: Collection[str] | None, *, offline: bool) -> dict[str, Service]:
    """Return the requested services and their dependencies. `airflow` means all of its components.

    Raises StackFailed for an unknown name.
    """
    known = services()
    if only is None:
        names = {name for name, service in known.items() if offline or not service.optional}
    else:
        names = {name for word in only for name in _names_of(word, known)}
        if offline:
            names.add("replay")
    while needed := {need for name in names for need in known[name].needs} - names:
        names |= needed
    return {name: service for name, service in known.items() if name in names}


def _names_of(word: str, known: Collection[str]) -> list[str]:
    names = [
        name for name in known if name == word or (word == AIRFLOW and name.startswith(AIRFLOW))
    ]
    if not names:
        raise StackFailed(f"expected a service among {', '.join(known)}, but found {word!r}")
    return names
