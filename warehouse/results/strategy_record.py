"""What strategies have to show: the scenes that ask for them and the results of their source."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from warehouse.accounts.visible import SCENE_IS_VISIBLE

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
_RUNS = text("""
    SELECT count(*) FROM ops.run q JOIN ops.result r ON r.run_key = q.run_key
    WHERE q.strategy = :name AND r.strategy_digest = :digest
""")


def scenes_of(connection: Connection, caller_id: int, names: Iterable[str]) -> dict[str, int]:
    """Count the scenes that ask for each strategy and that a user may see."""
    rows = connection.execute(_SCENES, {"caller_id": caller_id, "names": list(names)})
    return {row.name: int(row.scenes) for row in rows}


def results_of(connection: Connection, name: str, digest: str) -> int:
    """Count the stored results of a strategy's source."""
    return int(connection.scalar(_RUNS, {"name": name, "digest": digest}) or 0)
