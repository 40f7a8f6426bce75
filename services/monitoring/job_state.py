"""The state of the streaming job's queries, in a file that `mela status` reads."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from mela.counts import counted

log = structlog.get_logger()
LONGEST_REASON = 300
BEAT_S = 5.0  # how often the job writes its state at least
SILENT_S = 45.0  # a job that has not written for this long does nothing; `stack.healthy` too


class QueryState(BaseModel):
    """The state of one streaming query.

    failures: in a row, since its last batch that succeeded
    failing_since: when the first of them happened; None while batches succeed
    reason: of the last failure
    waiting: messages that it has not finished
    stuck_since: since when it has not advanced although messages wait; None while it does
    all_failures: since the job started
    batches, batch_s: the batches with input that the job saw since it started, and their seconds
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    failures: int = 0
    failing_since: AwareDatetime | None = None
    reason: str | None = None
    waiting: int = 0
    stuck_since: AwareDatetime | None = None
    all_failures: int = 0
    batches: int = 0
    batch_s: float = 0.0

    @property
    def is_well(self) -> bool:
        """Tell whether its batches succeed and go on."""
        return self.failing_since is None and self.stuck_since is None

    def sentence(self) -> str:
        """Return what is wrong with a failing query.

        >>> QueryState(name="run").sentence()
        'run works'
        """
        if self.failing_since is None and self.stuck_since is not None:
            return (
                f"the query {self.name} is stuck: {counted(self.waiting, 'message')} waiting, and "
                f"nothing done since {self.stuck_since.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
            )
        if self.failing_since is None:
            return f"{self.name} works"
        since = self.failing_since.astimezone(UTC)
        times = "once" if self.failures == 1 else f"{self.failures} times"
        return (
            f"the query {self.name} failed {times} since {since:%Y-%m-%d %H:%M:%SZ} and is "
            f"repeated until it succeeds ({self.reason})"
        )


class JobState(BaseModel):
    """The state of the streaming job. It is ready once every query runs and none fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    at: AwareDatetime
    ready: bool
    queries: tuple[QueryState, ...]

    def silence(self) -> str | None:
        """Return what is wrong with a job that no longer writes its state; None if it does."""
        age_s = (now() - self.at).total_seconds()
        if age_s <= SILENT_S:
            return None
        return f"it runs, but has said nothing of its queries for {age_s:.0f} s"


def state_file(home: Path) -> Path:
    """Return the file of a stack's job state."""
    return home / "spark" / "state.json"


def write_state(home: Path, state: JobState) -> None:
    """Replace the stored state, so that a reader sees the old one or the new one."""
    path = state_file(home)
    part = path.with_suffix(".part")
    part.write_text(state.model_dump_json(), encoding="utf-8")
    part.replace(path)


class Saying:
    """Writes a job's state where it has changed, and now and then that the job lives."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._written: tuple[bool, tuple[QueryState, ...]] | None = None
        self._beat_at = 0.0

    def say(self, state: JobState) -> None:
        """Write the state if it is due. A full disk ends no job: the next look tries again."""
        found, at = (state.ready, state.queries), time.monotonic()
        if found == self._written and at < self._beat_at:
            return
        try:
            write_state(self._home, state)
        except OSError as error:
            log.warning("state_not_written", why=str(error))
        else:
            self._written, self._beat_at = found, at + BEAT_S


def read_state(home: Path) -> JobState | None:
    """Return the stored state, or None where the job has written none.

    Raises ValueError for a file that is no job state.
    """
    try:
        raw = state_file(home).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return JobState.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(f"{state_file(home)} holds no job state: {error}") from error


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)


def shortened(reason: str) -> str:
    """Return the first line of a reason that says something, cut to what a table can show."""
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
