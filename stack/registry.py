"""All services of the stack, and in which order they depend on each other."""

from __future__ import annotations

from collections.abc import Collection

from mela.errors import StackFailed
from stack import broker, database, job, orchestration, replay, tracking
from stack.service import Service

AIRFLOW = "airflow"


def services() -> dict[str, Service]:
    """Return every service by name, those first that others need."""
    known = (
        database.service(),
        broker.service(),
        tracking.service(),
        *orchestration.services(),
        job.service(),
        replay.service(),
    )
    return {service.name: service for service in known}


def chosen(only: Collection[str] | None, *, offline: bool) -> dict[str, Service]:
    """Return the services asked for and all that they need. `airflow` stands for its components.

    Raises StackFailed for a name that is no service.
    """
    known = services()
    if only is None:
        names = {name for name, service in known.items() if offline or not service.optional}
    else:
        names = {name for word in only for name in _meant(word, known)}
        if offline:
            names.add("replay")
    while needed := {need for name in names for need in known[name].needs} - names:
        names |= needed
    return {name: service for name, service in known.items() if name in names}


def _meant(word: str, known: Collection[str]) -> list[str]:
    names = [
        name for name in known if name == word or (word == AIRFLOW and name.startswith(AIRFLOW))
    ]
    if not names:
        raise StackFailed(f"expected a service among {', '.join(known)}, but found {word!r}")
    return names
