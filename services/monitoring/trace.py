"""Split a scene's time into stages, from its publication to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mela.settings import Settings
from services.monitoring.job_state import now
from services.scenes.stored_scenes import stored_scene
from warehouse.database import transaction
from warehouse.scenes import stages
from warehouse.scenes.stages import Stage


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a scene's way.

    started_at, seconds: None where it has not begun, or nobody noted it
    share: of the scene's whole time; the shares of a finished scene add up to 1
    is_open: whether the scene is in it now
    """

    name: str
    meaning: str
    started_at: datetime | None
    seconds: float | None
    share: float | None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one scene. mlflow_s: the part of `concluded` that MLflow took, where known."""

    scene_id: UUID
    status: str
    runs: int
    cached: int
    started_at: datetime
    seconds: float
    steps: tuple[Step, ...]
    mlflow_s: float | None


MEANINGS = {
    "queued": "waited in mela.scenes for the planner",
    "planned": "was planned; its first chunks may be at work meanwhile",
    "dispatched": "waited until its first chunk of runs began",
    "computed": "from the start of its first chunk to the start of its last one",
    "recorded": "the last chunk ran, and its results were stored",
    "noticed": "waited for its conclusion",
    "concluded": "curves, report and MLflow",
}


def trace_scene(scene_id: UUID, settings: Settings) -> Trace:
    """Return where a scene's time went. Raises NotFound."""
    with transaction(settings) as connection:
        scene = stored_scene(connection, scene_id)
        at = stages.of_scene(connection, scene_id)
        computed = stages.computed(connection, scene_id)
    started_at = at.get(Stage.PUBLISHED, at.get(Stage.TAKEN, scene.received_at))
    ends = {
        "queued": at.get(Stage.TAKEN, scene.received_at),
        "planned": scene.planned_at,
        "dispatched": computed.first,
        "computed": computed.last,
        "recorded": at.get(Stage.RECORDED),
        "noticed": at.get(Stage.CONCLUDING),
        "concluded": scene.finished_at,
    }
    is_over = scene.status in {"finished", "rejected", "cancelled"}
    until = (scene.finished_at or scene.cancelled_at or scene.received_at) if is_over else now()
    whole = max(0.0, (until - started_at).total_seconds())
    mirroring, mirrored = at.get(Stage.MIRRORING), at.get(Stage.MIRRORED)
    return Trace(
        scene_id=scene_id,
        status=scene.status,
        runs=scene.runs,
        cached=scene.cached,
        started_at=started_at,
        seconds=whole,
        steps=tuple(steps_of(started_at, ends, until, is_over=is_over)),
        mlflow_s=(mirrored - mirroring).total_seconds() if mirroring and mirrored else None,
    )


def steps_of(
    started_at: datetime, ends: dict[str, datetime | None], until: datetime, *, is_over: bool
) -> list[Step]:
    """Return the steps between the ends of stages, each from where the one before it ended.

    Stages overlap: runs are at work before the last is planned. An end that lies before an earlier
    one takes no time, so that the seconds add up. An end that nobody noted leaves its time to the
    next stage that was noted.
    """
    known = [name for name, end in ends.items() if end is not None]
    whole = (until - started_at).total_seconds()
    found: list[Step] = []
    at, is_after = started_at, False
    for name, end in ends.items():
        if end is not None:
            reached = max(at, min(end, until))  # clocks of several machines differ a little
            seconds = (reached - at).total_seconds()
            share = seconds / whole if whole > 0 else None
            found.append(Step(name, MEANINGS[name], at, seconds, share))
            at = reached
        elif is_over or is_after or (known and name in _before(known[-1], ends)):
            found.append(Step(name, MEANINGS[name], None, None, None))
        else:
            seconds = max(0.0, (until - at).total_seconds())
            share = seconds / whole if whole > 0 else None
            found.append(Step(name, MEANINGS[name], at, seconds, share, is_open=True))
            is_after = True
    return found


def _before(name: str, ends: dict[str, datetime | None]) -> list[str]:
    names = list(ends)
    return names[: names.index(name)]
