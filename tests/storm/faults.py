"""What a storm does to a running stack: kills, cuts, mute and slow lines, stalls, a full disk."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from random import Random

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

import stack
from mela.settings import Settings
from stack.supervision import Supervisor, socket_path
from tests.integration.asking import wait_for
from tests.storm.disk import Disk
from tests.storm.proxy import Proxy

Wait = Callable[[float], None]  # lets so many seconds pass
SERVICES = ("spark", "postgres", "kafka", "mlflow")
# What a storm needs: the job path, what watches it, and whatever else must outlive a storm. Airflow
# and the web application take as much of the machine as all these, and have no scene's run.
PART = ("spark", "mlflow", "live", "replay", "monitor")
CONNECTED = text(
    "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename LIKE 'mela%'"
)


def process_of(service: str, settings: Settings) -> psutil.Process | None:
    """Return the main process of a service, or None while it has none."""
    found = Supervisor(settings.home).processes().get(service)
    if found is None or not found.pid:
        return None
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(found.pid)
    return None


def family(service: str, settings: Settings) -> list[psutil.Process]:
    """Return a service's process and all below it."""
    parent = process_of(service, settings)
    if parent is None:
        return []
    with suppress(psutil.NoSuchProcess):
        return [parent, *parent.children(recursive=True)]
    return []


def kill(service: str, settings: Settings) -> bool:
    """SIGKILL a service and all its children at once; tell whether it was there."""
    return bool([one for one in family(service, settings) if _signal(one, signal.SIGKILL)])


def kill_worker(settings: Settings, rng: Random) -> bool:
    """SIGKILL one of the Python workers that Spark forked."""
    workers = [one for one in family("spark", settings) if _is_worker(one)]
    return bool(workers) and _signal(rng.choice(workers), signal.SIGKILL)


def _is_worker(process: psutil.Process) -> bool:
    """Tell whether a process was forked from the daemon: its parent has the same command."""
    with suppress(psutil.Error):
        parent = process.parent()
        return "streaming.daemon" in process.cmdline() and (
            parent is not None and "streaming.daemon" in parent.cmdline()
        )
    return False


def kill_supervisor(settings: Settings) -> bool:
    """SIGKILL supervisord alone, as the kernel might; `mela up` takes over what it leaves."""
    pid = int((settings.home / "run" / "supervisord.pid").read_text(encoding="ascii"))
    psutil.Process(pid).kill()
    wait_for(lambda: not Supervisor(settings.home).is_alive(), 20, "supervisord died")
    assert socket_path(settings.home)
    stack.up(settings, only=PART)
    return True


def cut(settings: Settings) -> bool:
    """End every connection of the warehouse's roles, in the middle of whatever it does."""
    engine = create_engine(settings.postgres.url())
    try:
        with engine.connect() as connection:
            pids = list(connection.scalars(CONNECTED))
            # what pg_terminate_backend does, for roles that this one may not end
            ended = [one for one in pids if _signal(psutil.Process(one), signal.SIGTERM)]
            return bool(ended)
    except (DBAPIError, psutil.NoSuchProcess):  # Postgres was killed a moment ago
        return False
    finally:
        engine.dispose()


def stall(service: str, settings: Settings, seconds: float, wait: Wait = time.sleep) -> bool:
    """Stop a service for a while: its connections stay, and nothing answers."""
    stopped = [one for one in family(service, settings) if _signal(one, signal.SIGSTOP)]
    wait(seconds)
    for one in stopped:
        _signal(one, signal.SIGCONT)
    return bool(stopped)


def mute(line: Proxy, seconds: float, wait: Wait) -> bool:
    """Let nothing through to a service or back for a while, though its clients stay connected."""
    line.mute()
    wait(seconds)
    line.calm()
    return True


def slow(line: Proxy, delay_s: float, bytes_per_s: float, seconds: float, wait: Wait) -> bool:
    """Let everything through, late and at a trickle."""
    line.slow(delay_s, bytes_per_s)
    wait(seconds)
    line.calm()
    return True


def fill_disk(disk: Disk, seconds: float, wait: Wait) -> bool:
    """Take all room of the disk that every service of the stack writes to, for a while."""
    taken = disk.fill()
    wait(seconds)
    disk.empty()
    return taken > 0


def close_files(settings: Settings, seconds: float, wait: Wait) -> bool:
    """Let no process of the streaming job write a file for a while, as if its disk were full.

    A limit on the size of files does it for one service, without root.
    """
    with _limited(family("spark", settings)) as limited:
        wait(seconds)
    return limited > 0


@contextmanager
def _limited(processes: list[psutil.Process]) -> Generator[int]:
    before: list[tuple[psutil.Process, tuple[int, int]]] = []
    for one in processes:
        with suppress(psutil.Error):
            found = one.rlimit(psutil.RLIMIT_FSIZE)
            one.rlimit(psutil.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            before.append((one, found))
    yield len(before)
    for one, limits in before:
        with suppress(psutil.Error):
            one.rlimit(psutil.RLIMIT_FSIZE, limits)


def _signal(process: psutil.Process, number: signal.Signals) -> bool:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        return True
    return False


def faults(
    settings: Settings,
    rng: Random,
    wait: Wait,
    lines: Mapping[str, Proxy],
    disk: Disk | None,
) -> dict[str, Callable[[], bool]]:
    """Return everything that can be done to a stack, by name.

    wait: what goes on while something is stalled, mute, slow or full
    lines: the proxies between services and all of their clients
    disk: the stack's own; None where this user may mount none, so that none is filled
    """
    deeds: dict[str, Callable[[], bool]] = {
        **{f"kill {name}": lambda name=name: kill(name, settings) for name in SERVICES},
        "kill worker": lambda: kill_worker(settings, rng),
        "kill supervisor": lambda: kill_supervisor(settings),
        "end connections of postgres": lambda: cut(settings),
        "close files of spark": lambda: close_files(settings, rng.uniform(1, 4), wait),
    }
    for name in ("postgres", "kafka", "mlflow"):
        deeds[f"stall {name}"] = lambda name=name: stall(name, settings, rng.uniform(1, 8), wait)
    for name, line in lines.items():
        deeds[f"cut {name}"] = lambda line=line: line.cut() > 0
        deeds[f"mute {name}"] = lambda line=line: mute(line, rng.uniform(1, 15), wait)
        deeds[f"slow {name}"] = lambda line=line: slow(
            line, rng.uniform(0.01, 0.3), rng.uniform(2e4, 2e6), rng.uniform(2, 15), wait
        )
    if disk is not None:
        deeds["fill disk"] = lambda: fill_disk(disk, rng.uniform(1, 8), wait)
    return deeds
