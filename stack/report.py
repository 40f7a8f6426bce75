"""The state of the stack: each service's status and log."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mela.errors import StackFailed
from mela.name_suggestions import did_you_mean
from mela.settings import Settings
from stack import environment, health, registry, watchdog
from stack.service import Service, Site
from stack.supervision import Process, Supervisor

_POLL_S = 0.3


@dataclass(frozen=True)
class ServiceStatus:
    """The current status of one service.

    restarts: how often it exited by itself or was restarted by the watchdog
    missing: what an unhealthy service lacks
    note: when and why the watchdog restarted it; None if it never did
    """

    name: str
    state: str
    pid: int | None
    healthy: bool
    address: str
    uptime_s: float | None
    restarts: int
    log: Path
    missing: str | None
    note: str | None = None


def status(settings: Settings) -> list[ServiceStatus]:
    """Return the status of every service, probed now. If the stack never ran, all are stopped."""
    home = settings.home.resolve()
    site = Site(environment.fresh(settings), environment.read(home))
    supervisor = Supervisor(home)
    processes = supervisor.processes()
    services = list(registry.services(site.kept).values())
    kept = watchdog.read(home)
    memory = kept.services if kept else {}

    def look(service: Service) -> ServiceStatus:
        name = service.name
        return _look(site, supervisor, service, processes.get(name), memory.get(name))

    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        return list(pool.map(look, services))


def logs(
    settings: Settings, service: str, *, follow: bool = False, lines: int = 100
) -> Generator[str]:
    """Yield the last lines of a service's log; with `follow`, also the following ones, forever.

    service: a service's name, or `supervisord`
    """
    kept = environment.read(settings.home.resolve())
    names = [*registry.services(kept), "supervisord"]
    if service not in names:
        raise StackFailed(
            f"expected a service among {', '.join(names)}, but found {service!r}"
            f"{did_you_mean(service, names)}"
        )
    path = settings.home.resolve() / "logs" / f"{service}.log"
    return _read(path, follow=follow, lines=lines)


def _look(
    site: Site,
    supervisor: Supervisor,
    service: Service,
    process: Process | None,
    memory: watchdog.Memory | None,
) -> ServiceStatus:
    running = process is not None and process.pid > 0
    missing = health.state(site, supervisor, service) if running else "it does not run"
    return ServiceStatus(
        name=service.name,
        state=process.state if process else "stopped",
        pid=process.pid if process and running else None,
        healthy=missing is None,
        address=service.address(site.settings) if site.kept else "",
        uptime_s=round(time.time() - process.started_at, 1) if process and running else None,
        restarts=health.exits(site.log("supervisord"), service.name)
        + (memory.restarts if memory else 0),
        log=site.log(service.name),
        missing=missing,
        note=watchdog.note(memory),
    )


def _read(path: Path, *, follow: bool, lines: int) -> Generator[str]:
    inode, position = _end(path)
    yield from health.last_lines(path, lines)
    while follow:
        time.sleep(_POLL_S)
        inode_now, size = _end(path)
        if inode_now != inode or size < position:
            inode, position = inode_now, 0  # the log was rotated
        if size > position:
            with path.open("rb") as handle:
                handle.seek(position)
                new_bytes = handle.read(size - position)
            position = size
            yield from new_bytes.decode(errors="replace").splitlines()


def _end(path: Path) -> tuple[int, int]:
    found = path.stat() if path.exists() else None
    return (found.st_ino, found.st_size) if found else (0, 0)
