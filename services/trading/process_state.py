"""The state of the trading process, in a file that `mela status` reads."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

BEAT_S = 3.0


class ProcessState(BaseModel):
    """A sign of life. sessions: how many it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    at: AwareDatetime
    sessions: int


def state_file(home: Path) -> Path:
    """Return the file of a stack's process that trades."""
    return home / "run" / "live.json"


def write_state(home: Path, state: ProcessState) -> None:
    """Replace the stored state, so that a reader sees the old one or the new one."""
    path = state_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(state.model_dump_json(), encoding="utf-8")
    part.replace(path)


def read_state(home: Path) -> ProcessState | None:
    """Return the stored state; None where there is none, or none that can be read."""
    try:
        return ProcessState.model_validate_json(state_file(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
