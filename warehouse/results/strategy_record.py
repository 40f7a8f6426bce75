"""The record of strategies: the scenes that ask for them and the results of their source."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from warehouse.accounts.visible import RESULT_IS_VISIBLE, SCENE_IS_VISIBLE

# A rejected scene's content is whatever its author sent, and says nothing of a strategy.
_SCENES = text(f"""
    SELECT name, count(*) AS scenes FROM (
        SELECT s.scene_id, s.content->'strategy'->>'name' AS name FROM ops.scene s
        WHERE s.status <> 'rejected' AND {SCENE_IS_VISIBLE}
        UNION
        SELECT s.scene_id, jsonb_array_elements_text(s.content->'search'->'space'->'strategy.name')
        FROM ops.scene s
        WHERE s.status <> 'rejected' AND {SCENE_IS_VISIBLE}
          AND jsonb_typeof(s.content->'search'->'space'->'strategy.name') = 'array'
    ) AS asked WHERE name = ANY(:names) GROUP BY name
""")  # noqa: S608  made of constants
# Of all that are stored, less those that only scenes have which others keep private: few have any,
# and to ask of each result who may see it would take too long.
_RUNS = text(f"""
    SELECT (
        SELECT count(*) FROM ops.run q JOIN ops.result r ON r.run_key = q.run_key
        WHERE q.strategy = :name AND r.strategy_digest = :digest
    ) - (
        SELECT count(DISTINCT r.result_key)
        FROM app.scene_card card JOIN ops.scene kept ON kept.scene_id = card.scene_id
        JOIN ops.scene_run answer ON answer.scene_id = kept.scene_id
        JOIN ops.result r ON r.result_key = answer.result_key
        JOIN ops.run q ON q.run_key = r.run_key
        WHERE card.is_private AND kept.user_id IS DISTINCT FROM :caller_id
          AND q.strategy = :name AND r.strategy_digest = :digest
          AND NOT {RESULT_IS_VISIBLE.format(result_key="r.result_key")}
    )
""")  # noqa: S608  made of constants


def scenes_of(connection: Connection, caller_id: int, names: Iterable[str]) -> dict[str, int]:
    """Count the scenes that ask for each strategy and that a user may see."""
    rows = connection.execute(_SCENES, {"caller_id": caller_id, "names": list(names)})
    return {row.name: int(row.scenes) for row in rows}


def results_of(connection: Connection, caller_id: int, name: str, digest: str) -> int:
    """Count the stored results of a strategy's source that a user may see."""
    values = {"caller_id": caller_id, "name": name, "digest": digest}
    return int(connection.scalar(_RUNS, values) or 0)
