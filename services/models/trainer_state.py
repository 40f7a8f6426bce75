"""The state of the training process, in a file that `mela status` reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

BEAT_S = 3.0


class TrainerState(BaseModel):
    """A sign of life. training: the scene that is trained for now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    at: AwareDatetime
    training: UUID | None = None


def state_file(home: Path) -> Path:
    """Return the file of a stack's process that trains."""
    return home / "run" / "trainer.json"


def write_state(home: Path, state: TrainerState) -> None:
    """Replace the stored state, so that a reader sees the old one or the new one."""
    path = state_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(state.model_dump_json(), encoding="utf-8")
    part.replace(path)


def read_state(home: Path) -> TrainerState | None:
    """Return the stored state; None where there is none, or none that can be read."""
    try:
        return TrainerState.model_validate_json(state_file(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)
