"""One service in a container, prepared, run and probed as the other modules of `stack/` define.

python -m stack.container serve NAME        prepare the service and become it
python -m stack.container prepare NAME      only the steps before its first start
python -m stack.container finish NAME       the steps after it is first healthy: roles, topics
python -m stack.container lay               write what other images read: certificates, settings
python -m stack.container unwell NAME PID [WHAT]  end it by the watchdog's rule if it lacks WHAT
                                            (docs/decisions/0029-watchdog.md)
python -m stack.container run NAME WORD...  another command, in the service's environment
python -m stack.container secrets           reject missing or weak secrets

Addresses and secrets come from the environment only; docker-compose.yml sets them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from cryptography.fernet import Fernet

from mela.errors import MelaError, StackFailed
from mela.settings import Settings
from services.monitoring.job_state import state_file
from stack import (
    addresses,
    cluster,
    container_files,
    guard,
    health,
    job,
    orchestration,
    registry,
    watchdog,
)
from stack.service import Program, Service, Site

EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a network of its own; what is published says compose
SECRETS = (*addresses.SECRETS, "MELA_SPARK__SECRET")
WAITS_S = (5.0, 15.0, 30.0, 60.0)  # before the second, third… try of a step
_SHORTEST = 16
_DIFFERENT = 8
_PLAIN = re.compile(r"[A-Za-z0-9_=.~-]*")  # characters that a URL needs no escape for


class _Unset(StackFailed):
    """Say that a variable is missing, which no second try will set."""


class _Environment(dict[str, str]):
    def __missing__(self, key: str) -> str:
        raise _Unset(
            f"expected {key} in this container's environment, but it is not set; "
            "docker-compose.yml passes it on from .env"
        )


def main(words: list[str]) -> int:
    """Run the command in `words`; return the exit status."""
    try:
        match words:
            case ["serve", name]:
                _serve(name)
            case ["prepare", name]:
                again(lambda: _service(name).prepare(site()))
            case ["finish", name]:
                again(lambda: health.finish(site(), _service(name)))
            case ["unwell", name, pid, *missing] if len(missing) <= 1:
                _end_if_it_hangs(site(), _service(name), int(pid), missing[0] if missing else None)
            case ["lay"]:
                container_files.lay(site())
            case ["run", name, *command] if command:
                _become(site(), _service(name).program(site()), tuple(command))
            case ["secrets"]:
                judge(os.environ)
            case _:
                print(__doc__, file=sys.stderr)  # noqa: T201 - a command line of its own
                return 2
    except MelaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def services() -> dict[str, Service]:
    """Return every service that a container can run, by name."""
    return registry.services() | {service.name: service for service in cluster.services()}


def site(environment: Mapping[str, str] | None = None) -> Site:
    """Return the stack that this container's environment describes."""
    environ = os.environ if environment is None else environment
    kept = _Environment({key: value for key, value in environ.items() if key.startswith("MELA_")})
    return Site(Settings(), kept, listen=EVERYWHERE)


def judge(environ: Mapping[str, str]) -> None:
    """Reject secrets that are missing, weak or unusable, in one sentence for all of them."""
    wrong = _wrong({key: environ.get(key, "") for key in SECRETS})
    key = environ.get(orchestration.FERNET_KEY, "")
    try:
        Fernet(key)
    except ValueError:
        wrong.append(f"{orchestration.FERNET_KEY} is not 32 bytes in URL-safe base64")
    if wrong:
        raise StackFailed(f"{'; '.join(wrong)}. `sh stack/env.sh` makes good ones in .env")


def _wrong(given: Mapping[str, str]) -> list[str]:
    """Return what is wrong with some secrets, by key."""
    wrong = [f"{key} {why}" for key, value in given.items() if (why := _weakness(value))]
    values = [value for value in given.values() if value]
    if len(set(values)) < len(values):
        wrong.append("two of them are the same")
    return wrong


def _weakness(value: str) -> str | None:
    if len(value) < _SHORTEST or len(set(value)) < _DIFFERENT:
        return f"has fewer than {_SHORTEST} characters, or {_DIFFERENT} different ones"
    return None if _PLAIN.fullmatch(value) else "has other characters than A-Z a-z 0-9 _ = . ~ -"


def _service(name: str) -> Service:
    known = services()
    if name not in known:
        raise StackFailed(f"expected a service among {', '.join(known)}, but found {name!r}")
    return known[name]


def again(step: Callable[[], None]) -> None:
    """Take a step; try again where it failed: on a busy machine a service may need minutes.

    Compose starts what is done once a single time. A permanent fault fails each time, and the last
    failure is raised.
    """
    for wait_s in WAITS_S:
        try:
            step()
        except _Unset:
            raise
        except MelaError as error:
            print(f"{error}\ntrying again in {wait_s:g} s", file=sys.stderr)  # noqa: T201
            time.sleep(wait_s)
        else:
            return
    step()


def judge_own(environ: Mapping[str, str]) -> None:
    """Refuse to listen beyond loopback with a weak or shared secret, or without asking anybody.

    Judges what this container was given; `secrets` judges all of them at once.
    """
    given = {key: environ[key] for key in SECRETS if environ.get(key)}
    wrong = _wrong(given)
    if environ.get(guard.SECURE) != "true":
        wrong.append(
            f"{guard.SECURE} is {environ.get(guard.SECURE, 'not set')!r}, so that Kafka and MLflow "
            "would let everybody in: set it to true"
        )
    if wrong:
        raise StackFailed(
            f"this service listens on {EVERYWHERE}, beyond this machine, and starts only with "
            f"secrets that nobody guesses: {'; '.join(wrong)}. `sh stack/env.sh` makes good ones "
            "in .env; without containers, `mela up` listens on loopback only"
        )


def _serve(name: str) -> None:
    judge_own(os.environ)
    here, service = site(), _service(name)
    os.umask(0o077)
    again(lambda: service.prepare(here))
    forget(name, here.home)
    program = service.program(here)
    _serving_file().parent.mkdir(parents=True, exist_ok=True)
    _serving_file().write_text(json.dumps([name, os.getpid()]), encoding="utf-8")
    _become(here, program, program.command)


def forget(name: str, home: Path) -> None:
    """Remove what the streaming job said before: process ids repeat in containers.

    Others only read it, and may not remove it.
    """
    if name == job.NAME:
        state_file(home).unlink(missing_ok=True)


def _become(here: Site, program: Program, command: tuple[str, ...]) -> None:
    os.chdir(program.directory or here.home)
    environment = {**os.environ, **program.environment}
    os.execvpe(command[0], command, environment)  # noqa: S606 - signals shall reach it itself


def _end_if_it_hangs(here: Site, service: Service, pid: int, missing: str | None) -> None:
    """End a program by the watchdog's rule; its container ends with it, and starts again.

    An engine restarts what ends, and not what its health check calls unhealthy. The memory lies in
    the container, so that the waits grow from one start to the next.
    """
    home, name = here.home / "run" / "health", service.name
    try:
        started_at = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    state = watchdog.read(home) or watchdog.State(pid=os.getpid(), at=time.time())
    memory = state.services.setdefault(name, watchdog.Memory())
    memory.healthy_pid = pid  # `healthy.py` asks only for a process that was healthy
    depends_on = (*service.needs, *service.asks)
    away = next((need for need in depends_on if not _reaches(here.settings, need)), None)
    monitor = here.settings.monitor
    patience = watchdog.Patience(monitor.restart_after_s, monitor.start_s)
    seen = watchdog.Sight(pid, started_at, missing, away)
    is_due = watchdog.is_due(memory, seen, patience, time.time())
    if is_due:
        watchdog.restarted(memory, time.time())
    watchdog.write(home, state.model_copy(update={"at": time.time()}))
    if is_due:
        print(f"{name} hangs and is ended: {missing}", file=sys.stderr)  # noqa: T201
        os.kill(pid, signal.SIGKILL)


def _reaches(settings: Settings, need: str) -> bool:
    """Tell whether somebody listens where a service is; others' secrets are not known here."""
    where = {
        "postgres": f"//{settings.postgres.host}:{settings.postgres.port}",
        "kafka": f"//{settings.kafka.brokers.partition(',')[0]}",
        "airflow-api-server": settings.airflow.url,
        "spark-master": settings.spark.master,
    }
    if need not in where:
        return True
    parts = urlsplit(where[need])
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=3).close()
    except OSError:
        return False
    return True


def _serving_file() -> Path:
    return Settings().home / "run" / "serving.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
