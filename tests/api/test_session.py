"""api/routes/session.py: signing in and out."""

from __future__ import annotations

import pytest

from tests.api.conftest import PASSWORD, Callers

pytestmark = pytest.mark.integration


def test_who_signed_in_is_known_and_nobody_is_not(callers: Callers) -> None:
    me = callers.trader.get("/session").json()
    assert (me["user"], me["role"], me["via"]) == ("trader", "trader", "session")
    nobody = callers.nobody.get("/session")
    assert nobody.status_code == 401
    assert nobody.headers["Content-Type"] == "application/problem+json"
    assert nobody.json()["code"] == "not_signed_in"


def test_a_change_without_the_csrf_token_is_refused(callers: Callers) -> None:
    answer = callers.trader.delete("/session", headers={"X-CSRF-Token": "guessed"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert callers.trader.get("/session").status_code == 200


def test_after_signing_out_the_old_cookie_is_worth_nothing(callers: Callers) -> None:
    cookie = callers.trader.cookies["mela_session"]
    assert callers.trader.delete("/session").status_code == 204
    callers.nobody.cookies.set("mela_session", cookie, domain="127.0.0.1")
    assert callers.nobody.get("/session").status_code == 401


def test_a_wrong_password_and_an_unknown_user_read_the_same(callers: Callers) -> None:
    wrong = callers.nobody.post("/session", json={"user": "trader", "password": "not this one"})
    unknown = callers.nobody.post("/session", json={"user": "nobody1", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
