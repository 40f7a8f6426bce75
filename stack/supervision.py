"""supervisord under MELA_HOME: its configuration, its start, and its control interface."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import structlog
from supervisor.xmlrpc import Faults, SupervisorTransport

from mela.errors import StackFailed
from stack.config import configuration
from stack.service import Program, Site, marked

_START_TIMEOUT_S = 20
_POLL_S = 0.1
_SOCKET_PATH_MAX = 90  # the kernel allows 107; supervisord appends a process id while it binds
_log = structlog.get_logger(__name__)
GONE = (ConnectionError, FileNotFoundError, xmlrpc.client.ProtocolError)


@dataclass(frozen=True)
class Process:
    """A supervised process: `state` in lower case, `pid` 0 if it is not running."""

    name: str
    state: str
    pid: int
    started_at: float


def socket_path(home: Path) -> Path:
    """Return the control socket: under `home`, or in /tmp if that path is too long for a socket."""
    path = home / "run" / "supervisor.sock"
    if len(str(path)) <= _SOCKET_PATH_MAX:
        return path
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"mela-{os.geteuid()}" / f"{digest}.sock"


class Supervisor:
    """A client of the supervisord of one home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def _ask(self, method: str, *words: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{socket_path(self._home)}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*words)
        finally:
            transport.close()

    def is_alive(self) -> bool:
        """Tell whether supervisord answers."""
        try:
            return self._ask("getState")["statename"] == "RUNNING"
        except GONE:
            return False

    def processes(self) -> dict[str, Process]:
        """Return all supervised processes by name; empty if supervisord is not running."""
        try:
            found = self._ask("getAllProcessInfo")
        except GONE:
            return {}
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                return {}
            raise
        return {
            info["name"]: Process(
                info["name"], info["statename"].lower(), info["pid"], float(info["start"])
            )
            for info in found
        }

    def start_daemon(self, site: Site, programs: Mapping[str, Program]) -> None:
        """Write the configuration, and start supervisord unless it is already running."""
        path = _write_configuration(site, programs)
        if self.is_alive():
            return
        command = (sys.executable, "-m", "supervisor.supervisord", "-c", str(path))
        started = subprocess.run(
            command,
            env=_environment(site),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_START_TIMEOUT_S,
            check=False,
        )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_alive():
            if started.returncode != 0 or time.monotonic() > deadline:
                output = (started.stderr or started.stdout).strip()[-800:]
                raise StackFailed(
                    f"supervisord did not start: {output} (its log is {site.log('supervisord')})"
                )
            time.sleep(_POLL_S)

    def adopt(self, names: Collection[str]) -> None:
        """Load the latest configuration of these programs. A program that changed is stopped."""
        added, changed, _ = self._ask("reloadConfig")[0]
        for name in sorted(set(names) & set(changed)):
            self.stop(name)
            self._ask("removeProcessGroup", name)
            self._ask("addProcessGroup", name)
        known = self.processes()
        for name in sorted((set(names) & set(added)) - set(known)):
            self._ask("addProcessGroup", name)

    def start(self, name: str) -> None:
        """Start a program unless it is running or starting."""
        try:
            self._ask("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise StackFailed(f"{name} could not be started: {fault.faultString}") from fault

    def stop(self, name: str, *, wait: bool = True) -> None:
        """Stop a program; it does not restart automatically."""
        try:
            self._ask("stopProcess", name, wait)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                raise StackFailed(f"{name} could not be stopped: {fault.faultString}") from fault

    def shutdown(self, wait_s: float) -> None:
        """Stop supervisord and everything that it still runs."""
        try:
            pid = self._ask("getPID")
            self._ask("shutdown")
            psutil.Process(pid).wait(wait_s)
        except (*GONE, psutil.NoSuchProcess):
            return  # it does not run, or no longer
        except psutil.TimeoutExpired as error:
            _log.warning("supervisord still runs after its shutdown", pid=error.pid)


def _write_configuration(site: Site, programs: Mapping[str, Program]) -> Path:
    socket = socket_path(site.home)
    for folder in (site.home / "logs", site.home / "run", socket.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise StackFailed(f"{folder} belongs to another user; remove it, or set MELA_HOME")
    path = site.home / "run" / "supervisord.conf"
    new = path.with_name(f".{path.name}")
    new.touch(mode=0o600)
    new.write_text(configuration(site, socket, programs), encoding="utf-8")
    return new.replace(path)


# What a program may need from the caller of `up`: proxies, and the user's identity.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)


def _environment(site: Site) -> dict[str, str]:
    """Return a minimal environment, so that the stack is the same whoever starts it."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost")))
    return {
        **passed,
        "PATH": f"{Path(sys.executable).parent}:{passed.get('PATH', os.defpath)}",
        "NO_PROXY": direct,
        "no_proxy": direct,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "SPT_NOENV": "1",  # otherwise setproctitle would overwrite the marker
        **marked(site),
    }
