"""What is private of one user tells others nothing, not even a number."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Browser
from tests.api.lived_in import Team, team  # noqa: F401  a fixture
from tests.warehouse.lived import ASKED, STOCKS
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def stored_runs(by: Browser, scene: dict[str, Any]) -> int:
    answer = by.post("/scenes/validate", json={"scene": scene})
    assert answer.status_code == 200, answer.text
    assert answer.json()["is_valid"] is True
    return answer.json()["stored_runs"]


def runs_of(by: Browser, strategy: str) -> int:
    answer = by.get(f"/strategies/{strategy}")
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"]


def test_a_dry_run_does_not_tell_what_others_have_asked_in_private(team: Team) -> None:  # noqa: F811
    assert stored_runs(team.trader, STOCKS) == 1
    assert [stored_runs(by, STOCKS) for by in (team.other, team.viewer, team.admin)] == [0, 0, 0]
    assert [stored_runs(by, ASKED) for by in (team.trader, team.other)] == [1, 1]  # of the team


def test_a_strategys_record_counts_no_run_that_others_keep_private(team: Team) -> None:  # noqa: F811
    own = runs_of(team.trader, "rsi_reversion")
    assert [runs_of(by, "rsi_reversion") for by in (team.other, team.admin)] == [own - 1, own - 1]
    seen = runs_of(team.other, "sma_cross")
    assert seen == runs_of(team.trader, "sma_cross") > 1


def scheduled(by: Browser, name: str, scene: dict[str, Any], **said: object) -> dict[str, Any]:
    asked = {"name": name, "scene": scene, "span": "90d", **said}
    answer = by.post("/schedules", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def names(by: Browser) -> set[str]:
    answer = by.get("/schedules")
    assert answer.status_code == 200, answer.text
    return {one["name"] for one in answer.json()["items"]}


def test_a_private_schedule_is_seen_by_its_owner_and_administrators(team: Team) -> None:  # noqa: F811
    assert scheduled(team.trader, "of the team", ASKED)["is_private"] is False
    assert scheduled(team.trader, "marked", ASKED, is_private=True)["is_private"] is True
    # `stocks` asks for the same, and is private
    assert scheduled(team.trader, "of a private scene", STOCKS)["is_private"] is True
    assert scheduled(team.trader, "told to all", STOCKS, is_private=False)["is_private"] is False
    assert scheduled(team.other, "another's own", STOCKS)["is_private"] is False

    seen = {"of the team", "told to all", "another's own"}
    hidden = {"marked", "of a private scene"}
    assert names(team.trader) == names(team.admin) == seen | hidden
    assert names(team.other) == names(team.viewer) == seen
    answers = [
        team.other.request(method, f"/schedules/{one}", json=body)
        for one in ("marked", "nowhere")
        for method, body in (("PATCH", {"is_active": False}), ("DELETE", None))
    ]
    assert [one.status_code for one in answers] == [404] * 4
    texts = [one.text.replace("marked", "?").replace("nowhere", "?") for one in answers]
    assert texts[:2] == texts[2:]
    assert team.admin.patch("/schedules/marked", json={"is_active": False}).status_code == 200
    shared = {"is_private": False}
    refused = team.admin.patch("/schedules/marked", json=shared)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    changed = team.trader.patch("/schedules/marked", json=shared).json()
    assert (changed["is_private"], changed["is_active"]) == (False, False)
    assert names(team.other) == seen | {"marked"}
    assert team.trader.patch("/schedules/of the team", json={"is_private": True}).is_success
    assert names(team.viewer) == seen - {"of the team"} | {"marked"}
    for name in seen | hidden:
        assert team.admin.delete(f"/schedules/{name}").status_code == 204


def test_a_schedule_does_not_name_a_scene_that_the_caller_may_not_see(team: Team) -> None:  # noqa: F811
    scheduled(team.trader, "shared", ASKED)
    with transaction(team.settings) as connection:
        connection.execute(
            text("""UPDATE ops.scene_schedule SET last_scene_id = :id, last_covered_until = now()
                    WHERE name = 'shared'"""),
            {"id": team.scene("stocks")},
        )
    [own] = team.trader.get("/schedules").json()["items"]
    assert own["last_scene_id"] == team.scene("stocks")
    for by in (team.other, team.admin):
        [shown] = by.get("/schedules").json()["items"]
        assert shown["last_scene_id"] is None
    assert team.trader.delete("/schedules/shared").status_code == 204
