"""When scenes reached the stages of their way, a row for each scene and stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, text


class Stage(StrEnum):
    """The stages whose times are stored; the scene itself has those of planned and finished."""

    PUBLISHED = "published"
    TAKEN = "taken"
    RECORDED = "recorded"
    CONCLUDING = "concluding"
    MIRRORING = "mirroring"
    MIRRORED = "mirrored"


# A scene may be read again, and another may have taken its id: only what exists is noted.
_REACHED = text("""
    INSERT INTO ops.scene_stage (scene_id, stage, at)
    SELECT s.scene_id, given.stage, coalesce(given.at, clock_timestamp())
    FROM ops.scene s JOIN unnest(
        CAST(:scene_ids AS uuid[]), CAST(:stages AS text[]), CAST(:times AS timestamptz[])
    ) AS given (scene_id, stage, at) USING (scene_id)
    ON CONFLICT DO NOTHING
""")
_OF_SCENE = text("SELECT stage, at FROM ops.scene_stage WHERE scene_id = :scene_id")
_COMPUTED = text("""
    SELECT min(r.computed_at) AS first, max(r.computed_at) AS last
    FROM ops.scene_run a JOIN ops.result r USING (result_key)
    WHERE a.scene_id = :scene_id AND NOT a.cached
""")
_AVERAGES = text("""
    WITH newest AS (
        SELECT scene_id, planned_at, finished_at FROM ops.scene
        WHERE status = 'finished' ORDER BY finished_at DESC LIMIT :most
    ), timed AS (
        SELECT newest.planned_at, newest.finished_at,
            max(g.at) FILTER (WHERE g.stage = 'published') AS published,
            max(g.at) FILTER (WHERE g.stage = 'taken') AS taken,
            max(g.at) FILTER (WHERE g.stage = 'recorded') AS recorded,
            max(g.at) FILTER (WHERE g.stage = 'concluding') AS concluding,
            max(g.at) FILTER (WHERE g.stage = 'mirroring') AS mirroring,
            max(g.at) FILTER (WHERE g.stage = 'mirrored') AS mirrored
        FROM newest JOIN ops.scene_stage g USING (scene_id)
        GROUP BY newest.scene_id, newest.planned_at, newest.finished_at
    )
    SELECT stage, count(seconds), coalesce(sum(greatest(seconds, 0)), 0) FROM timed, LATERAL (
        VALUES ('queued', extract(epoch FROM taken - published)),
               ('planned', extract(epoch FROM planned_at - taken)),
               ('answered', extract(epoch FROM recorded - planned_at)),
               ('noticed', extract(epoch FROM concluding - recorded)),
               ('concluded', extract(epoch FROM finished_at - concluding)),
               ('mirrored', extract(epoch FROM mirrored - mirroring))
    ) AS spent (stage, seconds) GROUP BY stage
""")


@dataclass(frozen=True, slots=True)
class Computed:
    """When the first and the last result of a scene were computed; None where none was."""

    first: datetime | None
    last: datetime | None


def reached(
    connection: Connection,
    scene_ids: Collection[str | UUID],
    stages: Mapping[Stage, datetime | None],
) -> None:
    """Note that scenes have reached stages, each the first time only.

    stages: stage → when; None means now
    """
    note(connection, [(one, stage, at) for one in scene_ids for stage, at in stages.items()])


def note(
    connection: Connection, reached: Collection[tuple[str | UUID, Stage, datetime | None]]
) -> None:
    """Note scenes, the stage that each has reached, and when, each the first time only."""
    if reached:
        ids, names, times = map(list, zip(*sorted(reached, key=str), strict=True))
        given = {"scene_ids": [str(one) for one in ids], "stages": names, "times": times}
        connection.execute(_REACHED, given)


def of_scene(connection: Connection, scene_id: str | UUID) -> dict[Stage, datetime]:
    """Return when a scene reached the stages that it reached."""
    rows = connection.execute(_OF_SCENE, {"scene_id": str(scene_id)})
    return {Stage(stage): at for stage, at in rows}


def computed(connection: Connection, scene_id: str | UUID) -> Computed:
    """Return when a scene's results were computed, those left out that were stored before."""
    return Computed(*connection.execute(_COMPUTED, {"scene_id": str(scene_id)}).one())


def seconds(connection: Connection, most: int) -> dict[str, tuple[int, float]]:
    """Return, for the newest finished scenes, each stage's number of scenes and sum of seconds."""
    rows = connection.execute(_AVERAGES, {"most": most})
    return {str(stage): (int(count), float(total)) for stage, count, total in rows}
