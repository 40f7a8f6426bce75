"""The definition of a service: how to prepare, start, probe and finish it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mela.settings import Settings
from stack import oneshot
from stack.sweep import MARKER


@dataclass(frozen=True)
class Site:
    """One stack on this machine: its settings and the contents of its stack.env.

    listen: the address that a service listens on: all interfaces in a container, else loopback
    """

    settings: Settings
    kept: Mapping[str, str] = field(repr=False)
    listen: str = "127.0.0.1"

    @property
    def home(self) -> Path:
        """Return MELA_HOME."""
        return self.settings.home

    @property
    def marker(self) -> str:
        """Return the value of MELA_STACK in every process of this stack."""
        return str(self.home)

    def log(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.home / "logs" / f"{service}.log"


@dataclass(frozen=True)
class Program:
    """A program for the supervisor. `environment` adds to the stack's common environment.

    niceness: above 0 it yields the processors to Kafka, Spark and Postgres, which scenes depend on
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    directory: Path | None = None
    stop_signal: str = "TERM"
    stop_group: bool = True
    stop_wait_s: int = 10
    niceness: int = 0


def _nothing(_: Site) -> None:
    """Do nothing, for services that need no such step."""


@dataclass(frozen=True)
class Service:
    """A long-running program of the stack.

    needs:   services that must be healthy before this one starts
    asks:    further services that its probe goes through; while one is unhealthy, the probe says
        nothing of this service
    prepare: creates its files before the first start; runs at every `up`, so it must be fast and
        safe
    probe:   (site, pid) → None if healthy, else what is missing, as a phrase
    finish:  the steps after it is first healthy: roles, migrations, topics
    wait_s:  how long it may take to become healthy, and then to finish. It only bounds a service
        that hangs, as one that exits is given up at once; a cold start on a busy machine takes
        minutes
    """

    name: str
    address: Callable[[Settings], str]
    program: Callable[[Site], Program]
    probe: Callable[[Site, int], str | None]
    needs: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    prepare: Callable[[Site], None] = _nothing
    finish: Callable[[Site], None] = _nothing
    wait_s: float = oneshot.PATIENCE_S
    optional: bool = False


def marked(site: Site) -> dict[str, str]:
    """Return the variables that mark a process of this stack and lead it to its stack.env."""
    return {MARKER: site.marker, "MELA_HOME": str(site.home)}
