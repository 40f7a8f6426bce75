"""When a service that runs but is not well is restarted, as a pure rule over what was seen of it.

A supervisor restarts what dies. This restarts what lives and does nothing any more. Times are
seconds since the epoch, so that the memory survives a restart of the watchdog itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LONGEST_WAIT_S = 3600.0
CALM_S = 600.0  # healthy for this long: what went wrong before is over
# Postgres says so while it replays its log; each restart would make it begin anew.
_STARTING = ("starting up", "recovery state", "recovery mode")


class Memory(BaseModel):
    """The watchdog's memory of one service.

    healthy_pid: the process that was healthy last
    in_a_row: restarts since the service was last healthy for `CALM_S`
    restarts: all of them, since the memory began
    missing: what it lacks now; None if it is healthy or was not seen
    reason: what it lacked when it was restarted last
    """

    model_config = ConfigDict(extra="ignore")

    healthy_pid: int | None = None
    healthy_since: float | None = None
    unhealthy_since: float | None = None
    in_a_row: int = 0
    restarts: int = 0
    restarted_at: float | None = None
    reason: str | None = None
    missing: str | None = None
    is_awaited: bool = False  # restarted, and not healthy since


class State(BaseModel):
    """The watchdog's memory as it lies in a file; `at` is when it last looked."""

    model_config = ConfigDict(extra="ignore")

    pid: int
    at: float
    services: dict[str, Memory] = Field(default_factory=dict[str, Memory])


@dataclass(frozen=True, slots=True)
class Sight:
    """One observation of a service.

    pid: 0 if it does not run, which is the supervisor's matter
    missing: what its probe misses; None if it is healthy
    waits_for: an unhealthy service that it depends on
    """

    pid: int
    started_at: float
    missing: str | None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """The seconds that a service may be unhealthy, and may take to start."""

    restart_after_s: float
    start_s: float

    def bound(self, in_a_row: int) -> float:
        """Return how long a service may stay unhealthy after some restarts in vain.

        >>> [Patience(120, 300).bound(restarts) for restarts in (0, 1, 2, 9)]
        [120, 240, 480, 3600.0]
        """
        longest = max(LONGEST_WAIT_S, self.restart_after_s)
        return min(self.restart_after_s * 2 ** min(in_a_row, 30), longest)


def is_due(memory: Memory, seen: Sight, patience: Patience, now: float) -> bool:
    """Note what was seen of a service in its memory; tell whether it shall be restarted.

    It shall if it was healthy once, runs, is past its start, depends on nothing that is unhealthy,
    and has been unhealthy for longer than the bound, which doubles with each restart in a row.
    """
    memory.missing = seen.missing
    if not seen.pid:
        memory.healthy_since = memory.unhealthy_since = None
        return False
    if seen.missing is None:
        memory.healthy_pid, memory.unhealthy_since = seen.pid, None
        memory.healthy_since = memory.healthy_since or now
        if now - memory.healthy_since >= CALM_S:
            memory.in_a_row = 0
        return False
    memory.healthy_since = None
    if memory.healthy_pid is None or seen.waits_for or _is_starting(memory, seen, patience, now):
        memory.unhealthy_since = None
        return False
    memory.unhealthy_since = memory.unhealthy_since or now
    return now - memory.unhealthy_since >= patience.bound(memory.in_a_row)


def restarted(memory: Memory, now: float) -> None:
    """Note that a service was restarted."""
    memory.in_a_row += 1
    memory.restarts += 1
    memory.restarted_at, memory.reason, memory.is_awaited = now, memory.missing, True
    memory.unhealthy_since = None


def came_back(memory: Memory) -> bool:
    """Tell, once, that a restarted service is healthy again."""
    is_back = memory.is_awaited and memory.healthy_since is not None
    if is_back:
        memory.is_awaited = False
    return is_back


def waits_for(
    name: str, depends_on: Mapping[str, tuple[str, ...]], missing: Mapping[str, str | None]
) -> str | None:
    """Return an unhealthy service that one depends on, at any remove; None if all are healthy.

    depends_on: the services that each one needs or asks
    missing: what each service lacks; None if it is healthy. One that was not looked at counts as
        healthy: it may be elsewhere
    """
    pending, seen = list(depends_on.get(name, ())), {name}
    while pending:
        need = pending.pop()
        if need in seen:
            continue
        seen.add(need)
        if missing.get(need) is not None:
            return need
        pending += depends_on.get(need, ())
    return None


def note(memory: Memory | None) -> str | None:
    """Return what `mela status` says of a service that was restarted; None if it never was."""
    if memory is None or memory.restarted_at is None:
        return None
    at = datetime.fromtimestamp(memory.restarted_at, UTC)
    times = "once" if memory.restarts == 1 else f"{memory.restarts} times"
    return (
        f"restarted {times} by the watchdog, last at {at:%Y-%m-%d %H:%M:%SZ}, because it ran and "
        f"was unhealthy ({memory.reason})"
    )


def file_of(home: Path) -> Path:
    """Return the file of a stack's watchdog."""
    return home / "run" / "watchdog.json"


def write(home: Path, state: State) -> None:
    """Replace the stored state, so that a reader sees the old one or the new one."""
    path = file_of(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(state.model_dump_json(), encoding="utf-8")
    part.replace(path)


def read(home: Path) -> State | None:
    """Return the stored state; None where there is none, or none that this version understands."""
    try:
        return State.model_validate_json(file_of(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _is_starting(memory: Memory, seen: Sight, patience: Patience, now: float) -> bool:
    if any(word in (seen.missing or "") for word in _STARTING):
        return True
    return seen.pid != memory.healthy_pid and now - seen.started_at < patience.start_s
