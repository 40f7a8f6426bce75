"""What a service of the stack is: how it is prepared, started, probed and finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mela.settings import Settings
from stack.sweep import MARKER


@dataclass(frozen=True)
class Site:
    """One stack on this machine: its settings and all that its stack.env keeps.

    listen: the address that a service listens on; all of a container's own, loopback elsewhere
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
        """Return where the output of a service goes."""
        return self.home / "logs" / f"{service}.log"


@dataclass(frozen=True)
class Program:
    """What the supervisor runs. `environment` adds to what all children of the stack get.

    niceness: above 0 it yields the processors to the path of scenes: Kafka, Spark, Postgres
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    directory: Path | None = None
    stop_signal: str = "TERM"
    stop_group: bool = True
    stop_wait_s: int = 10
    niceness: int = 0


def _nothing(_: Site) -> None:
    """Serve a service that needs no such step."""


@dataclass(frozen=True)
class Service:
    """A long-running program of the stack.

    needs:   services that must be healthy before this one starts
    prepare: files it needs before its first start; runs at every `up`, so must be quick and safe
    probe:   (site, pid) → None when healthy, else what is missing, as a phrase
    finish:  what must follow its first health: roles, migrations, topics
    wait_s:  bound for becoming healthy, a cold start on a busy machine included
    """

    name: str
    address: Callable[[Settings], str]
    program: Callable[[Site], Program]
    probe: Callable[[Site, int], str | None]
    needs: tuple[str, ...] = ()
    prepare: Callable[[Site], None] = _nothing
    finish: Callable[[Site], None] = _nothing
    wait_s: float = 90.0
    optional: bool = False


def marked(site: Site) -> dict[str, str]:
    """Return the variables by which a process of this stack is known and knows its stack."""
    return {MARKER: site.marker, "MELA_HOME": str(site.home)}
