"""The condition by which every query of the application finds visible scenes and runs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

# For queries that name ops.scene `s`; its parameter is :caller_id, an id of ops.user.
SCENE_IS_VISIBLE = """(
    s.user_id = :caller_id OR NOT EXISTS (
        SELECT FROM app.scene_card hidden WHERE hidden.scene_id = s.scene_id AND hidden.is_private)
)"""
# A run's scenes are found through its results: those are indexed by it, answers are not.
# For queries that have a run's key as {run_key}: `RUN_IS_VISIBLE.format(run_key="r.run_key")`.
RUN_IS_VISIBLE = f"""EXISTS (
    SELECT FROM ops.result answer
    JOIN ops.scene_run asked ON asked.result_key = answer.result_key
    JOIN ops.scene s ON s.scene_id = asked.scene_id
    WHERE answer.run_key = {{run_key}} AND {SCENE_IS_VISIBLE}
)"""
# For queries that have a result's key as {result_key}.
RESULT_IS_VISIBLE = f"""EXISTS (
    SELECT FROM ops.scene_run asked JOIN ops.scene s ON s.scene_id = asked.scene_id
    WHERE asked.result_key = {{result_key}} AND {SCENE_IS_VISIBLE}
)"""
_SCENE = text(f"""
    SELECT EXISTS (SELECT FROM ops.scene s WHERE s.scene_id = :scene_id AND {SCENE_IS_VISIBLE})
""")  # noqa: S608  made of constants
_OWNED = text("SELECT user_id = :caller_id FROM ops.scene WHERE scene_id = :scene_id")
_RUN = text(f"SELECT {RUN_IS_VISIBLE.format(run_key='CAST(:run_key AS text)')}")


def sees_scene(connection: Connection, caller_id: int, scene_id: UUID) -> bool:
    """Tell whether there is such a scene that a user may see."""
    values = {"caller_id": caller_id, "scene_id": scene_id}
    return bool(connection.scalar(_SCENE, values))


def owns_scene(connection: Connection, caller_id: int, scene_id: UUID) -> bool:
    """Tell whether a scene belongs to a user."""
    values = {"caller_id": caller_id, "scene_id": scene_id}
    return bool(connection.scalar(_OWNED, values))


def sees_run(connection: Connection, caller_id: int, run_key: str) -> bool:
    """Tell whether a user may see a scene that has this run."""
    return bool(connection.scalar(_RUN, {"caller_id": caller_id, "run_key": run_key}))
