"""The runs of a scene that was lived through, and who asks for them."""

from __future__ import annotations

from typing import Any

from services.accounts import accounts
from services.runs.results import result_rows
from tests.api.lived_in import Team
from warehouse.accounts import accounts as stored
from warehouse.database import transaction


def documents(team: Team, called: str) -> list[dict[str, Any]]:
    scene_id = team.life.scenes[called].scene_id
    assert scene_id
    return result_rows(scene_id, team.settings)


def with_curve(team: Team, called: str) -> str:
    return next(one["run_key"] for one in team.runs(called) if one["has_curve"])


def caller(team: Team) -> Any:
    with transaction(team.settings) as connection:
        row = stored.by_name(connection, "trader")
    assert row is not None
    role = accounts.Role(row.role)
    return accounts.Caller(row.id, row.user_id, row.user, role, frozenset({"read"}), via="session")
