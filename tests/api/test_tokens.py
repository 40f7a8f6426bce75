"""api/routes/tokens.py: personal tokens."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.api.conftest import Browser, Callers
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def made(of: Browser, **fields: object) -> dict[str, object]:
    asked = {"name": "notebook", "scopes": ["read"], "days": 30, **fields}
    answer = of.post("/tokens", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(callers: Callers, secret: object) -> Browser:
    found = callers.browser()
    found.headers["Authorization"] = f"Bearer {secret}"
    return found


def test_a_token_acts_for_its_user_within_its_scopes(callers: Callers) -> None:
    program = bearer(callers, made(callers.trader)["secret"])

    me = program.get("/session").json()
    assert (me["user"], me["via"], me["scopes"], me["csrf_token"]) == (
        "trader", "token", ["read"], None,
    )  # fmt: skip
    assert program.get("/users").status_code == 403


def test_an_administrators_token_without_the_scope_administers_nothing(callers: Callers) -> None:
    reads = bearer(callers, made(callers.admin)["secret"])
    administers = bearer(callers, made(callers.admin, scopes=["read", "admin"])["secret"])

    assert reads.get("/users").status_code == 403
    assert administers.get("/users").status_code == 200


def test_nobody_makes_a_token_that_may_more_than_he(callers: Callers) -> None:
    asked = {"name": "x", "scopes": ["write"], "days": 1}
    assert callers.viewer.post("/tokens", json=asked).status_code == 403


def test_a_token_makes_no_tokens(callers: Callers) -> None:
    program = bearer(callers, made(callers.trader, scopes=["read", "write"])["secret"])
    answer = program.post("/tokens", json={"name": "x", "scopes": ["read"], "days": 300})
    assert answer.status_code == 403


def test_a_token_that_was_taken_back_or_has_ended_is_refused(callers: Callers) -> None:
    first, second = made(callers.trader), made(callers.trader)
    assert callers.trader.delete(f"/tokens/{first['id']}").status_code == 204
    with transaction(callers.settings) as connection:
        connection.execute(
            text("UPDATE app.token SET ends_at = now() WHERE id = :id"), {"id": second["id"]}
        )

    for token in (first, second):
        assert bearer(callers, token["secret"]).get("/session").status_code == 401


def test_another_users_token_is_not_to_be_found(callers: Callers) -> None:
    token = made(callers.trader)
    assert callers.other.delete(f"/tokens/{token['id']}").status_code == 404
    assert callers.other.get("/tokens").json() == {"items": []}
    assert len(callers.trader.get("/tokens").json()["items"]) == 1


def test_the_secret_is_shown_once_and_kept_as_a_hash(callers: Callers) -> None:
    token = made(callers.trader)
    secret = str(token["secret"])
    assert secret.startswith("mela_")
    assert len(secret) >= 48  # 256 bits
    assert secret not in callers.trader.get("/tokens").text
    with transaction(callers.settings) as connection:
        stored = connection.execute(text("SELECT t::text FROM app.token t")).scalars().all()
    assert not [row for row in stored if secret in row or secret.removeprefix("mela_") in row]
