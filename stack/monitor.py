"""The monitor as a service: the watchdog over the others, and the metrics that Prometheus reads.

`stack/watching.py` is what runs. Under supervisord it restarts what hangs. In a container it finds
no supervisord and serves metrics alone; there each container's health check ends its own program
(`stack/container.py`).
"""

from __future__ import annotations

import sys
import time

from mela.errors import StackFailed
from mela.settings import REPOSITORY
from stack import environment, http, watchdog
from stack.service import Program, Service, Site, marked

NAME = "monitor"
STALE_S = 60.0


def service() -> Service:
    """Describe the monitor to the supervisor."""
    return Service(
        name=NAME,
        address=lambda settings: settings.monitor.metrics_url,
        program=_program,
        probe=_probe,
    )


def _program(site: Site) -> Program:
    return Program(
        command=(sys.executable, "-m", "stack.watching", site.listen),
        environment={
            **environment.explicit_settings(site.settings),
            "MELA_MONITOR__METRICS_URL": site.settings.monitor.metrics_url,
            **marked(site),
        },
        directory=REPOSITORY,
    )


def _probe(site: Site, pid: int) -> str | None:
    state = watchdog.read(site.home)
    if state is None or state.pid != pid:
        return "it has not looked at the services yet"
    age_s = time.time() - state.at
    if age_s > STALE_S:
        return f"it last looked at the services {age_s:.0f} s ago"
    try:
        http.get(site.settings.monitor.metrics_url)
    except StackFailed as error:
        return str(error)
    return None
