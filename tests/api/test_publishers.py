"""Who publishes without an account, straight through Kafka: an administrator limits that too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Browser, Callers
from warehouse.database import transaction
from warehouse.scenes import users

pytestmark = pytest.mark.integration


def listed(by: Browser) -> dict[str, dict[str, Any]]:
    answer = by.get("/publishers")
    assert answer.status_code == 200, answer.text
    return {one["user"]: one for one in answer.json()["items"]}


@pytest.mark.parametrize("user", ["kafka", "mela-publisher"])
def test_the_owner_of_what_comes_straight_through_kafka_is_limited_before_its_first_scene(
    callers: Callers, user: str
) -> None:
    assert listed(callers.admin)[user]["runs_per_day"] is None
    asked = {"quota": {"runs_per_day": 1000, "scenes_at_once": 2}}
    answer = callers.admin.patch(f"/publishers/{user}", json=asked)
    assert answer.status_code == 200, answer.text
    found = listed(callers.admin)[user]
    assert answer.json() == found
    assert (found["runs_per_day"], found["scenes_at_once"]) == (1000, 2)
    assert found["quota"] == {
        "runs_per_day": 1000,
        "runs_today": 0,
        "scenes_at_once": 2,
        "scenes_now": 0,
    }
    [line] = callers.admin.get("/audit", params={"action": "change_publisher"}).json()["items"]
    assert (line["subject"], line["detail"]) == (user, asked)


def test_who_published_at_the_command_line_is_listed_and_accounts_are_not(callers: Callers) -> None:
    with transaction(callers.settings) as connection:
        users.ensure(connection, "grace")
    assert set(listed(callers.admin)) >= {"kafka", "mela-publisher", "grace"}
    assert not set(listed(callers.admin)) & {"admin", "trader"}
    quota = {"quota": {"runs_per_day": 7}}
    assert callers.admin.patch("/publishers/grace", json=quota).status_code == 200
    for user in ("trader", "nobody"):
        assert callers.admin.patch(f"/publishers/{user}", json=quota).status_code == 404


def test_a_default_of_their_own_is_shown(callers: Callers) -> None:
    changed = {"runs_per_day": 50, "kafka_runs_per_day": 5, "kafka_scenes_at_once": 1}
    api = callers.settings.api.model_copy(update=changed)
    settings = callers.settings.model_copy(update={"api": api})
    with transaction(settings) as connection:
        users.ensure(connection, "grace")
    admin = callers.browser(settings)
    admin.enter(settings, "admin")
    found = listed(admin)
    assert found["kafka"]["quota"]["runs_per_day"] == 5
    assert found["mela-publisher"]["quota"]["scenes_at_once"] == 1
    assert found["grace"]["quota"]["runs_per_day"] == 50
