"""All services of the stack, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mela.errors import StackFailed
from stack import (
    api,
    broker,
    cluster,
    database,
    job,
    layout,
    live,
    monitor,
    orchestration,
    replay,
    tracking,
    trainer,
)
from stack.service import Service

AIRFLOW, KAFKA = "airflow", "kafka"
_ONE: Mapping[str, str] = {}


def services(kept: Mapping[str, str] = _ONE) -> dict[str, Service]:
    """Return every service by name; dependencies come first.

    kept: stack.env, which says whether this stack is a cluster; empty for one of each
    """
    known = (
        database.service(),
        *broker.services(kept),
        tracking.service(),
        *orchestration.services(),
        *(cluster.services_here() if layout.is_cluster(kept) else ()),
        job.service(kept),
        api.service(),
        live.service(),
        trainer.service(),
        replay.service(),
        monitor.service(),
    )
    return {service.name: service for service in known}


def chosen(
    only: Collection[str] | None, *, offline: bool, kept: Mapping[str, str] = _ONE
) -> dict[str, Service]:
    """Return the requested services and their dependencies.

    only: `airflow` means all of its components, `kafka` all brokers
    kept: stack.env, as for `services`
    Raises StackFailed for an unknown name.
    """
    known = services(kept)
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
    is_group = word in (AIRFLOW, KAFKA)
    names = [name for name in known if name == word or (is_group and name.startswith(word))]
    if not names:
        raise StackFailed(f"expected a service among {', '.join(known)}, but found {word!r}")
    return names
