"""Start or stop the whole stack, whatever state it is in."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from mela.settings import Settings
from stack import addresses, environment, guard, health, layout, registry, replay, watchdog
from stack.lock import locked
from stack.service import Service, Site
from stack.supervision import Supervisor, socket_path
from stack.sweep import sweep

OnEvent = Callable[[str, str], None]
_LOCK_WAIT_S = 600.0
_SHUTDOWN_S = 60.0
_POLL_S = 0.2
_STORES = (*layout.BROKERS, "postgres")  # stopped last: the others still write to them
_log = structlog.get_logger(__name__)


def _silent(_service: str, _state: str) -> None:
    """Ignore the event."""


def up(
    settings: Settings,
    *,
    offline: bool | None = None,
    secure: bool | None = None,
    cluster: bool | None = None,
    only: Collection[str] | None = None,
    on_event: OnEvent = _silent,
) -> Settings:
    """Start every service that is not running, wait until all are healthy, and return the Settings.

    offline:  serve market data from this machine, and connect all clients to that; None keeps
        what the last start chose
    secure:   have clients of Kafka and MLflow sign in; None keeps what the last start chose
    cluster:  three brokers and two Spark workers instead of one; None keeps what the last start
        chose
    only:     a part of the stack, with what that part needs; `airflow` means all of Airflow
    on_event: called from several threads with (service, state or sentence)
    Raises StackFailed with the service, its last log lines and a way out.
    """
    home = settings.home.resolve()
    kind = layout.kind(layout.chosen(home, environment.read(home), cluster, on_event))
    registry.chosen(only, offline=False, kept=kind)  # told before anything is touched
    _prepare_home(home)
    with _alone(home, on_event):
        offline = market(environment.read(home), offline, on_event, whole=only is None)
        services = registry.chosen(only, offline=offline, kept=kind)
        supervisor = Supervisor(home)
        if not supervisor.is_alive():
            sweep(home)  # processes that a killed supervisord left behind
        is_secure = guarded(environment.read(home), secure, on_event)
        site = addresses.allocate(
            environment.fresh(settings),
            services,
            on_event,
            secure=is_secure,
            is_cluster=layout.is_cluster(kind),
        )
        site = choose_market(site, supervisor, offline=offline, whole=only is None)
        supervisor.start_daemon(
            site, {name: one.program(site) for name, one in registry.services(site.kept).items()}
        )
        supervisor.adopt(services)
        _start_all(site, supervisor, services, on_event)
        return site.settings


def down(settings: Settings, on_event: OnEvent = _silent) -> None:
    """Stop the stack. No process of it remains afterwards; its data stay."""
    home = settings.home.resolve()
    if not home.exists():
        return
    with _alone(home, on_event):
        supervisor = Supervisor(home)
        running = [name for name, process in supervisor.processes().items() if process.pid]
        _stop(supervisor, [name for name in running if name not in _STORES], on_event)
        _stop(supervisor, [name for name in running if name in _STORES], on_event)
        supervisor.shutdown(_SHUTDOWN_S)
        sweep(home)
        socket_path(home).unlink(missing_ok=True)
        watchdog.file_of(home).unlink(missing_ok=True)  # what it remembers is of this stack's life


def _prepare_home(home: Path) -> None:
    for folder in reversed(home.parents):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o711)  # despite the umask: Postgres' account must pass through
    home.mkdir(mode=0o700, exist_ok=True)


def _alone(home: Path, on_event: OnEvent) -> AbstractContextManager[None]:
    return locked(
        home / "run" / "up.lock",
        _LOCK_WAIT_S,
        lambda: on_event("stack", "waiting for another `mela up` or `mela down`"),
    )


def market(
    kept: Mapping[str, str], offline: bool | None, on_event: OnEvent, *, whole: bool
) -> bool:
    """Return whether market data come from this machine; report where an earlier choice decides.

    offline: what the user chose now; None for no choice
    """
    was_replayed = replay.PORT in kept and kept.get(environment.REPLAY) == replay.address(kept)
    if offline is None and whole and was_replayed:
        on_event(
            "replay", "packaged candles, as before; `mela up --online` asks the services instead"
        )
        return True
    if offline is False and whole and was_replayed:
        on_event("replay", "no longer used; the market's services are asked")
    return bool(offline)


def guarded(kept: Mapping[str, str], secure: bool | None, on_event: OnEvent) -> bool:
    """Return whether clients must sign in; report where an earlier choice decides.

    secure: what the user chose now; None for no choice
    """
    was_secure = kept.get(guard.SECURE) == "true"
    if secure is None and was_secure:
        on_event("stack", "clients sign in, as before; `mela up --open` lets them in without")
    return was_secure if secure is None else secure


def choose_market(site: Site, supervisor: Supervisor, *, offline: bool, whole: bool) -> Site:
    """Connect all clients to the replay, or no longer; return the stack as it then is."""
    own_address = replay.address(site.kept)
    if offline:
        environment.set_replay(site.settings, own_address)
    elif whole and environment.read(site.home).get(environment.REPLAY) == own_address:
        environment.set_replay(site.settings, None)
        if supervisor.is_alive():
            supervisor.stop("replay")
    return Site(environment.fresh(site.settings), environment.read(site.home))


def _start_all(
    site: Site, supervisor: Supervisor, services: Mapping[str, Service], on_event: OnEvent
) -> None:
    """Start each service as soon as its dependencies are healthy; raise the first failure."""
    futures: dict[str, Future[None]] = {}

    def start(service: Service) -> None:
        for need in service.needs:
            futures[need].result()
        _start_one(site, supervisor, service, on_event)

    with ThreadPoolExecutor(max_workers=len(services), thread_name_prefix="stack") as pool:
        for name, service in services.items():  # dependencies first
            futures[name] = pool.submit(start, service)
    for future in futures.values():
        future.result()


def _start_one(site: Site, supervisor: Supervisor, service: Service, on_event: OnEvent) -> None:
    began = time.monotonic()
    if health.state(site, supervisor, service) is not None:
        on_event(service.name, "starting")
        service.prepare(site)
        supervisor.start(service.name)
        health.wait_healthy(
            site, supervisor, service, lambda sentence: on_event(service.name, sentence)
        )
    health.finish(site, service)
    took_s = round(time.monotonic() - began, 1)
    _log.debug("service healthy", service=service.name, took_s=took_s)
    on_event(service.name, "healthy")


def _stop(supervisor: Supervisor, names: Collection[str], on_event: OnEvent) -> None:
    for name in names:
        on_event(name, "stopping")
        supervisor.stop(name, wait=False)
    waiting = set(names)
    deadline = time.monotonic() + _SHUTDOWN_S
    while waiting and time.monotonic() < deadline:
        running = {name for name, process in supervisor.processes().items() if process.pid}
        for name in sorted(waiting - running):
            on_event(name, "stopped")
        waiting &= running
        time.sleep(_POLL_S)
