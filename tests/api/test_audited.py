"""api/audited.py: every change leaves a line, and none can be changed."""

from __future__ import annotations

import pytest

from tests.api.conftest import Callers

pytestmark = pytest.mark.integration


def lines(callers: Callers, **asked: str) -> list[dict[str, object]]:
    return callers.admin.get("/audit", params=asked).json()["items"]


def test_what_was_done_says_who_what_when_and_from_where(callers: Callers) -> None:
    callers.admin.patch("/users/viewer", json={"role": "trader"})

    [line] = lines(callers, action="change_user")
    assert line["at"]
    assert {key: line[key] for key in ("user", "via", "outcome", "subject", "address")} == {
        "user": "admin",
        "via": "session",
        "outcome": "done",
        "subject": "viewer",
        "address": "testclient",
    }
    assert line["detail"] == {"role": "trader"}


def test_what_was_refused_is_noted_too(callers: Callers) -> None:
    assert callers.trader.patch("/users/viewer", json={"role": "admin"}).status_code == 403
    [line] = lines(callers, user="trader", action="change_user")
    assert line["outcome"] == "refused"


def test_a_failed_sign_in_is_noted_without_the_name_that_was_tried(callers: Callers) -> None:
    callers.nobody.post("/session", json={"user": "my-password-by-mistake", "password": "x"})
    [line] = [one for one in lines(callers, action="sign_in") if one["outcome"] == "refused"]
    assert (line["user"], line["via"]) == (None, "nobody")
    assert "mistake" not in str(line)


def test_pages_of_the_log_hang_together(callers: Callers) -> None:
    for _ in range(4):
        callers.admin.patch("/users/viewer", json={"is_disabled": False})
    first = callers.admin.get("/audit", params={"limit": 2}).json()
    second = callers.admin.get("/audit", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    ids = [line["id"] for line in first["items"] + second["items"]]
    assert len(ids) == 4
    assert ids == sorted(ids, reverse=True)
    assert callers.admin.get("/audit", params={"cursor": "x"}).status_code == 422
