"""api/routes/invitations.py: who may come, and as what."""

from __future__ import annotations

import pytest

from mela.settings import Settings
from tests.api.conftest import PASSWORD, Browser, Callers, browser
from warehouse.accounts import attempts
from warehouse.database import transaction
from warehouse.scenes import users

pytestmark = pytest.mark.integration


def invited(callers: Callers, role: str = "trader") -> str:
    answer = callers.admin.post("/invitations", json={"role": role, "days": 7})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"]).partition("#")[2]


def register(by: Browser, invitation: str | None, user: str = "ada", password: str = PASSWORD):
    body = {"invitation": invitation, "user": user, "password": password}
    return by.post("/registrations", json=body)


def test_an_invitation_makes_one_account_with_its_role(callers: Callers) -> None:
    secret = invited(callers)
    check = callers.nobody.get("/invitations/check", headers={"X-Invitation": secret})
    assert check.json() == {"role": "trader"}

    answer = register(callers.nobody, secret)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["user"], answer.json()["role"]) == ("ada", "trader")
    assert callers.nobody.get("/session").json()["user"] == "ada"  # signed in
    assert register(callers.browser(), secret, "eve").status_code == 404


def test_nobody_comes_uninvited_where_registration_is_closed(callers: Callers) -> None:
    answer = register(callers.nobody, None)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_invited")
    assert register(callers.nobody, "guessed").status_code == 404


def test_where_registration_is_open_who_comes_is_a_viewer(callers: Callers) -> None:
    api = callers.settings.api.model_copy(update={"is_registration_open": True})
    open_settings: Settings = callers.settings.model_copy(update={"api": api})
    with browser(open_settings) as guest:
        answer = register(guest, None)
        assert (answer.status_code, answer.json()["role"]) == (201, "viewer")


def test_nobody_asks_for_one_name_after_another_where_registration_is_open(
    callers: Callers,
) -> None:
    """That a name is taken must be told; whoever wants to know of many waits."""
    api = callers.settings.api.model_copy(update={"is_registration_open": True})
    with browser(callers.settings.model_copy(update={"api": api})) as guest:
        answers = [register(guest, None, "trader").status_code for _ in range(attempts.FREE + 1)]
    assert answers == [409] * attempts.FREE + [429]


def test_nobody_takes_over_the_name_of_who_published_before(callers: Callers) -> None:
    with transaction(callers.settings) as connection:
        users.ensure(connection, "grace")
    answer = register(callers.nobody, invited(callers), "grace")
    assert answer.status_code == 409
    assert register(callers.nobody, invited(callers), "Kafka").status_code == 422


def test_a_refused_registration_leaves_the_invitation_open(callers: Callers) -> None:
    secret = invited(callers)
    assert register(callers.nobody, secret, "ada", "password123").status_code == 422
    assert register(callers.nobody, secret, "trader").status_code == 409
    assert register(callers.nobody, secret).status_code == 201


def test_an_invitation_that_was_taken_back_is_worth_nothing(callers: Callers) -> None:
    secret = invited(callers)
    [row] = callers.admin.get("/invitations").json()["items"]
    assert callers.admin.delete(f"/invitations/{row['id']}").status_code == 204
    assert register(callers.nobody, secret).status_code == 404


@pytest.mark.parametrize("who", ["viewer", "trader"])
def test_only_administrators_invite(callers: Callers, who: str) -> None:
    answer = getattr(callers, who).post("/invitations", json={"role": "admin"})
    assert answer.status_code == 403
