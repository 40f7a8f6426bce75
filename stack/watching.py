"""The monitor's program: looks at all services, restarts what hangs, serves the metrics.

`python -m stack.watching ADDRESS`, where ADDRESS is what the metrics' server listens on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import MelaError, StackFailed
from mela.settings import Settings
from services.alerts.heartbeat import tell_silence
from services.alerts.outbox import deliver_due
from services.alerts.webhook import post_alert
from services.monitoring.exporter import ServiceSample, serve
from stack import environment, layout, registry, watchdog
from stack.lock import locked
from stack.monitor import NAME
from stack.service import Service, Site
from stack.supervision import Supervisor
from stack.usage import Usage, Used

LOOK_S = 10.0
TELL_S = 15.0
PROBE_S = 20.0  # a probe that takes longer has found nobody well
_log = structlog.get_logger()


class Watchdog:
    """Looks at all services again and again, and restarts those that `watchdog.is_due` names."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = settings.home.resolve()
        self._supervisor = Supervisor(self._home)
        self._pool = ThreadPoolExecutor(thread_name_prefix="probe")
        self._probing: dict[str, Future[str | None]] = {}
        before = watchdog.read(self._home)
        self.memory: dict[str, watchdog.Memory] = dict(before.services) if before else {}
        self.usage = Usage(self._home)

    def look(self) -> None:
        """Look at every service once, restart what is due, and write down what was seen."""
        site = Site(environment.fresh(self._settings), environment.read(self._home))
        watch = site.settings.monitor
        patience = watchdog.Patience(watch.restart_after_s, watch.start_s)
        every = registry.services(site.kept)
        known = {name: one for name, one in every.items() if name != NAME}
        sights = self._sights(site, known)
        for name, seen in sights.items():
            memory = self.memory.setdefault(name, watchdog.Memory())
            if watchdog.is_due(memory, seen, patience, time.time()):
                self._restart(name, memory, site.settings)
            if watchdog.came_back(memory):
                text = f"{name} is healthy again after the watchdog restarted it"
                self._tell("service_recovered", {"service": name, "text": text}, site.settings)
        self.usage.look()
        self.beat()

    def samples(self) -> list[ServiceSample]:
        """Return what the metrics say of each service that the watchdog has seen."""
        none = Used(0, 0.0, 0)
        memory, used = dict(self.memory), self.usage.found
        return [
            ServiceSample(
                name=name,
                is_healthy=one.missing is None and name in used,
                restarts=one.restarts,
                cpu_s=used.get(name, none).cpu_s,
                memory_bytes=used.get(name, none).memory_bytes,
            )
            for name, one in memory.items()
        ]

    def beat(self) -> None:
        """Write down that the watchdog lives, and what it remembers."""
        state = watchdog.State(pid=os.getpid(), at=time.time(), services=self.memory)
        watchdog.write(self._home, state)

    def _sights(self, site: Site, known: Mapping[str, Service]) -> dict[str, watchdog.Sight]:
        processes = self._supervisor.processes()
        running = {
            name: one
            for name, one in processes.items()
            if name in known and one.pid and one.state in {"running", "starting"}
        }
        away = set(known) & (set(processes) - set(running))
        missing: dict[str, str | None] = dict.fromkeys(away, "it does not run")
        missing |= self._probed(site, known, {name: one.pid for name, one in running.items()})
        depends_on = {name: (*one.needs, *one.asks) for name, one in known.items()}
        away_for_others = layout.standing(missing)
        return {
            name: watchdog.Sight(
                one.pid,
                one.started_at,
                missing[name],
                watchdog.waits_for(name, depends_on, away_for_others),
            )
            for name, one in running.items()
        }

    def _probed(
        self, site: Site, known: Mapping[str, Service], pids: Mapping[str, int]
    ) -> dict[str, str | None]:
        """Return what each running service lacks. One that holds its probe up is asked no more."""
        for name, pid in pids.items():
            if name not in self._probing:
                self._probing[name] = self._pool.submit(known[name].probe, site, pid)
        wait([self._probing[name] for name in pids], timeout=PROBE_S)
        found: dict[str, str | None] = {}
        for name in pids:
            if self._probing[name].done():
                found[name] = _answer(self._probing.pop(name))
            else:
                found[name] = f"its probe has had no answer for {PROBE_S:.0f} s"
        return found

    def _restart(self, name: str, memory: watchdog.Memory, settings: Settings) -> None:
        try:
            with locked(self._home / "run" / "up.lock", 0.0):
                unhealthy_s = round(time.time() - (memory.unhealthy_since or time.time()))
                _log.error(
                    "service_restarted",
                    service=name,
                    unhealthy_s=unhealthy_s,
                    missing=memory.missing,
                    restarts=memory.restarts + 1,
                )
                self._supervisor.stop(name)
                self._supervisor.start(name)
        except StackFailed as error:  # `mela up` or `mela down` is at work; it is looked at again
            _log.warning("service_not_restarted", service=name, why=str(error))
            return
        watchdog.restarted(memory, time.time())
        about = {
            "service": name,
            "unhealthy_s": unhealthy_s,
            "missing": memory.reason,
            "restarts": memory.restarts,
            "text": f"the watchdog restarted {name}, which ran but was unhealthy for "
            f"{unhealthy_s} s: {memory.reason}",
        }
        self._tell("service_restarted", about, settings)

    def _tell(self, event: str, about: Mapping[str, Any], settings: Settings) -> None:
        """Tell the webhook beside everything else: a slow one must not hold the watchdog up."""
        if event != "service_restarted":
            _log.info(event, **about)
        threading.Thread(target=post_alert, args=(event, about, settings), daemon=True).start()


def _answer(probed: Future[str | None]) -> str | None:
    try:
        return probed.result()
    except Exception as error:  # noqa: BLE001  whatever breaks a probe, the service is not well
        return f"its probe failed: {type(error).__name__}: {error}"


class Teller:
    """Tells of silence and delivers alerts while no process trades: it is not what it watches."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_away = False

    def tell(self) -> None:
        """Put what is silent into the outbox, and deliver what waits there."""
        try:
            tell_silence(self._settings)
            deliver_due(self._settings)
        except (MelaError, SQLAlchemyError, OSError) as error:
            if not self._is_away:  # said once: the watchdog itself tells what is unhealthy
                _log.warning("alerts_not_delivered", why=str(error).strip()[:300])
            self._is_away = True
        else:
            self._is_away = False

    def run(self, stop: threading.Event) -> None:
        """Tell again and again until `stop`."""
        while not stop.wait(TELL_S):
            self.tell()


def main(words: Collection[str]) -> None:
    """Watch until SIGTERM."""
    (listen,) = words
    settings = Settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch = Watchdog(settings)
    port = urlsplit(settings.monitor.metrics_url).port
    serve(settings, listen, port or 80, watch.samples)
    teller = Teller(settings)
    threading.Thread(target=teller.run, args=(stop,), daemon=True).start()
    _log.info("monitor_started", metrics=settings.monitor.metrics_url)
    wait_s = min(LOOK_S, settings.monitor.restart_after_s / 4)
    while not stop.is_set():
        try:
            watch.look()
        except Exception:  # noqa: BLE001  it must outlive whatever it looks at
            _log.exception("watchdog_failed")
        stop.wait(wait_s)


if __name__ == "__main__":
    main(sys.argv[1:])
