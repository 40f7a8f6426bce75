"""services/accounts/sessions.py and the limits on attempts: how sessions begin, last and end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from sqlalchemy import text

from api.routes import events
from mela.settings import Settings
from services.accounts import accounts, passwords
from services.accounts.accounts import Role
from tests.api.conftest import PASSWORD, Callers, browser
from warehouse.accounts import attempts
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def execute(settings: Settings, statement: str, **values: object) -> None:
    with transaction(settings) as connection:
        connection.execute(text(statement), values)


def stored(settings: Settings, query: str) -> list[object]:
    with transaction(settings) as connection:
        return list(connection.scalars(text(query)))


def test_each_sign_in_begins_a_new_session_under_a_new_token(callers: Callers) -> None:
    guest = callers.browser()
    guest.sign_in("trader")
    first = guest.cookies["mela_session"]
    guest.sign_in("trader")
    second = guest.cookies["mela_session"]
    assert first != second
    assert len(first) >= 43  # 256 bits


def test_the_cookie_is_kept_from_scripts_and_other_sites(callers: Callers) -> None:
    body = {"user": "trader", "password": PASSWORD}
    cookie = callers.nobody.post("/session", json=body).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Domain" not in cookie

    api = callers.settings.api.model_copy(update={"public_url": "https://mela.example"})
    with browser(callers.settings.model_copy(update={"api": api})) as outside:
        answer = outside.post("/session", json=body, headers={"Host": "mela.example"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-mela_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_the_store_keeps_hashes_of_tokens_and_argon2id_of_passwords(callers: Callers) -> None:
    callers.nobody.sign_in("trader")
    token = callers.nobody.cookies["mela_session"]
    rows = stored(callers.settings, "SELECT s::text FROM app.session s")
    assert rows
    assert not [row for row in rows if token in str(row)]
    hashes = stored(callers.settings, "SELECT password_hash FROM app.account")
    assert all(str(one).startswith("$argon2id$") for one in hashes)


def test_a_session_ends_when_it_is_not_used_and_when_it_is_old(callers: Callers) -> None:
    settings = callers.settings
    execute(settings, "UPDATE app.session SET seen_at = now() - interval '12 hours 1 minute'")
    assert callers.trader.get("/session").status_code == 401
    callers.other.enter(settings, "other")
    assert callers.other.get("/session").status_code == 200
    execute(settings, "UPDATE app.session SET ends_at = now()")
    assert callers.other.get("/session").status_code == 401


def test_sign_out_everywhere_ends_all_sessions_of_the_user_and_of_nobody_else(
    callers: Callers,
) -> None:
    second = callers.browser()
    second.enter(callers.settings, "trader")
    assert len(second.get("/sessions").json()["items"]) == 2
    assert second.delete("/sessions").status_code == 204
    assert callers.trader.get("/session").status_code == 401
    assert second.get("/session").status_code == 401
    assert callers.other.get("/session").status_code == 200


def test_one_session_can_be_ended_and_only_ones_own(callers: Callers) -> None:
    second = callers.browser()
    second.enter(callers.settings, "trader")
    [other] = [one for one in second.get("/sessions").json()["items"] if not one["is_this"]]
    assert callers.other.delete(f"/sessions/{other['id']}").status_code == 404
    assert second.delete(f"/sessions/{other['id']}").status_code == 204
    assert callers.trader.get("/session").status_code == 401


def test_a_new_password_ends_the_other_sessions(callers: Callers) -> None:
    second = callers.browser()
    second.enter(callers.settings, "trader")
    new = "eight quiet herons"
    wrong = second.post("/password", json={"current": "not it", "new": new})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    assert second.post("/password", json={"current": PASSWORD, "new": new}).status_code == 204
    assert callers.trader.get("/session").status_code == 401
    assert second.get("/session").status_code == 200
    second.sign_in("trader", new)


def test_a_new_password_ends_all_tokens(callers: Callers) -> None:
    asked = {"name": "x", "scopes": ["read"], "days": 1}
    programs = [callers.browser() for _ in range(2)]
    for program in programs:
        secret = callers.trader.post("/tokens", json=asked).json()["secret"]
        program.headers["Authorization"] = f"Bearer {secret}"
    assert programs[0].get("/session").status_code == 200
    body = {"current": PASSWORD, "new": "eight quiet herons"}
    assert callers.trader.post("/password", json=body).status_code == 204
    assert [one.get("/session").status_code for one in programs] == [401, 401]
    assert callers.trader.get("/tokens").json() == {"items": []}


def test_who_took_a_session_over_cannot_try_passwords_for_ever(callers: Callers) -> None:
    body = {"current": "guess", "new": "eight quiet herons"}
    for _ in range(attempts.FREE):
        assert callers.trader.post("/password", json=body).status_code == 403
    right = {**body, "current": PASSWORD}
    answer = callers.trader.post("/password", json=right)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    second = callers.browser()
    second.sign_in("trader")  # which is counted by itself
    assert second.post("/password", json=right).status_code == 429
    execute(callers.settings, "UPDATE app.attempt SET at = at - interval '2 seconds'")
    assert second.post("/password", json=right).status_code == 204


@pytest.mark.parametrize(
    "new", ["short", "password123", "iloveyou", "trader2026", "Trader-1", "x" * 257, PASSWORD]
)
def test_a_password_that_is_guessed_first_is_refused(callers: Callers, new: str) -> None:
    answer = callers.trader.post("/password", json={"current": PASSWORD, "new": new})
    assert (answer.status_code, answer.json()["field"]) == (422, "new")


@pytest.mark.parametrize("password", ["vier kleine wörter", "x7" * 64, "日本語のパスワード"])
def test_any_character_and_a_long_sentence_are_good(password: str) -> None:
    passwords.check(password, "ada")
    assert passwords.is_right(passwords.hashed(password), password)


def test_until_it_is_changed_a_given_password_opens_nothing_else(callers: Callers) -> None:
    settings = callers.settings
    accounts.set_password(settings, "trader", "given by an admin", must_change=True)
    assert callers.trader.get("/session").status_code == 401  # the sessions ended
    guest = callers.browser()
    guest.sign_in("trader", "given by an admin")
    assert guest.get("/session").json()["must_change_password"] is True
    answer = guest.get("/tokens")
    assert (answer.status_code, answer.json()["code"]) == (403, "must_change_password")
    body = {"current": "given by an admin", "new": "chosen by myself"}
    assert guest.post("/password", json=body).status_code == 204
    assert guest.get("/tokens").status_code == 200


def test_who_is_disabled_is_out_at_once_with_all_tokens(callers: Callers) -> None:
    asked = {"name": "x", "scopes": ["read"], "days": 1}
    token = callers.trader.post("/tokens", json=asked).json()["secret"]
    assert callers.admin.patch("/users/trader", json={"is_disabled": True}).status_code == 200
    assert callers.trader.get("/session").status_code == 401
    program = callers.browser()
    program.headers["Authorization"] = f"Bearer {token}"
    assert program.get("/session").status_code == 401
    answer = callers.nobody.post("/session", json={"user": "trader", "password": PASSWORD})
    assert answer.status_code == 401


def test_a_new_role_holds_at_once_and_the_last_administrator_stays(callers: Callers) -> None:
    assert callers.admin.patch("/users/other", json={"role": "viewer"}).status_code == 200
    assert callers.other.get("/session").status_code == 401
    answer = callers.admin.patch("/users/admin", json={"role": "viewer"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert callers.admin.patch("/users/admin", json={"is_disabled": True}).status_code == 409


@pytest.mark.parametrize(
    ("by", "changed"),
    [
        ("session", "role = 'viewer'"),
        ("token", "role = 'viewer'"),
        ("token", "must_change_password = true"),
    ],
)
def test_a_stream_of_events_ends_when_its_users_rights_do(
    callers: Callers, monkeypatch: pytest.MonkeyPatch, by: str, changed: str
) -> None:
    """It would go on telling an administrator of before what only administrators hear."""
    monkeypatch.setattr(events, "BEAT_S", 0.2)
    settings = callers.settings
    accounts.add(settings, "chief", PASSWORD, Role.ADMIN)
    chief = "WHERE user_id = (SELECT id FROM ops.user WHERE name = 'chief')"
    listener = callers.browser()
    listener.enter(settings, "chief")
    if by == "token":
        asked = {"name": "x", "scopes": ["read", "admin"], "days": 1}
        secret = listener.post("/tokens", json=asked).json()["secret"]
        listener = callers.browser()
        listener.headers["Authorization"] = f"Bearer {secret}"
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(listener.get, "/events", params={"trading": True})
        try:
            time.sleep(1.0)
            assert not heard.done()
            execute(settings, f"UPDATE app.account SET {changed} {chief}")
            assert heard.result(timeout=10).text.endswith("event: signed_out\ndata: {}\n\n")
            if by == "token" and "role" in changed:
                assert listener.get("/session").json()["scopes"] == ["read"]
        finally:
            execute(settings, f"UPDATE app.account SET is_disabled = true {chief}")


def fail(callers: Callers, user: str, times: int, address: str = "testclient") -> None:
    execute(
        callers.settings,
        """INSERT INTO app.attempt (name_hash, address)
           SELECT sha256(CAST(:user AS bytea)), :address FROM generate_series(1, :times)""",
        user=user.encode(),
        address=address,
        times=times,
    )


def test_who_guesses_waits_longer_and_longer_and_the_user_elsewhere_does_not(
    callers: Callers,
) -> None:
    for _ in range(attempts.FREE):
        answer = callers.nobody.post("/session", json={"user": "trader", "password": "guess"})
        assert answer.status_code == 401
    answer = callers.nobody.post("/session", json={"user": "trader", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) >= 1

    execute(callers.settings, "UPDATE app.attempt SET address = 'the guesser'")
    guest = callers.browser()
    guest.sign_in("trader")  # the honest user, from elsewhere


def test_the_wait_doubles_and_ends(callers: Callers) -> None:
    fail(callers, "trader", attempts.FREE + 6)
    body = {"user": "trader", "password": PASSWORD}
    answer = callers.nobody.post("/session", json=body)
    assert 60 <= int(answer.headers["Retry-After"]) <= 64
    execute(callers.settings, "UPDATE app.attempt SET at = at - interval '65 seconds'")
    assert callers.nobody.post("/session", json=body).status_code == 200
    assert not stored(callers.settings, "SELECT id FROM app.attempt")


def guessed_at(callers: Callers, names: int, ago_s: int = 0, address: str = "testclient") -> None:
    """Let somebody guess with made-up names, from the address that all tests have."""
    execute(
        callers.settings,
        """INSERT INTO app.attempt (name_hash, address, at)
           SELECT sha256(CAST(CAST(number AS text) AS bytea)), :address,
                  now() - make_interval(secs => :ago_s)
           FROM generate_series(1, :names) AS number""",
        address=address,
        names=names,
        ago_s=ago_s,
    )


def test_who_guesses_at_a_shared_address_shuts_nobody_else_out(callers: Callers) -> None:
    for number in range(attempts.FREE_OF_ADDRESS + 10):
        body = {"user": f"made up {number}", "password": "guess"}
        assert callers.nobody.post("/session", json=body).status_code == 401
    callers.browser().sign_in("trader")


def test_who_failed_at_such_an_address_waits_a_minute_at_most_whatever_others_do(
    callers: Callers,
) -> None:
    guessed_at(callers, 500, ago_s=120)
    wrong = {"user": "trader", "password": "a slip"}
    body = {"user": "trader", "password": PASSWORD}
    assert callers.nobody.post("/session", json=wrong).status_code == 401
    answer = callers.nobody.post("/session", json=body)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= attempts.LONGEST_OF_ADDRESS_S
    execute(callers.settings, "UPDATE app.attempt SET at = at - interval '61 seconds'")
    guessed_at(callers, 20)  # others go on
    assert callers.nobody.post("/session", json=body).status_code == 200


def test_more_tries_than_people_make_slow_an_address_by_seconds(callers: Callers) -> None:
    guessed_at(callers, attempts.A_MINUTE)
    body = {"user": "trader", "password": PASSWORD}
    answer = callers.nobody.post("/session", json=body)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) <= attempts.FLOOD_S
    unknown = callers.nobody.post("/session", json={**body, "user": "nobody1"})
    assert unknown.json() == answer.json()
    execute(callers.settings, "UPDATE app.attempt SET at = at - interval '1 minute'")
    assert callers.nobody.post("/session", json=body).status_code == 200


def test_a_browser_that_signed_in_before_waits_for_nobody_else(callers: Callers) -> None:
    mine = callers.browser()
    mine.sign_in("trader")
    assert mine.delete("/session").status_code == 204
    guessed_at(callers, 200)
    fail(callers, "trader", 200)
    fail(callers, "trader", 200, address="10.0.0.9")
    body = {"user": "trader", "password": PASSWORD}
    assert callers.browser().post("/session", json=body).status_code == 429
    mine.sign_in("trader")

    # of another user's it is a browser like any other
    fail(callers, "other", attempts.FREE)
    assert mine.post("/session", json={"user": "other", "password": PASSWORD}).status_code == 429


def test_who_guesses_in_a_browser_that_is_known_waits_as_well(callers: Callers) -> None:
    mine = callers.browser()
    mine.sign_in("trader")
    wrong = {"user": "trader", "password": "guess"}
    for _ in range(attempts.FREE):
        assert mine.post("/session", json=wrong).status_code == 401
    assert mine.post("/session", json={**wrong, "password": PASSWORD}).status_code == 429
    callers.browser().sign_in("trader")  # the user, in another browser at that address


def test_a_browser_is_known_by_a_secret_of_ours_that_scripts_do_not_see(callers: Callers) -> None:
    guest = callers.browser()
    guest.cookies.set("mela_browser", "planted by somebody", domain="127.0.0.1", path="/")
    body = {"user": "trader", "password": PASSWORD}
    cookies = guest.post("/session", json=body).headers.get_list("Set-Cookie")
    [cookie] = [one for one in cookies if one.startswith("mela_browser=")]
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    assert len(secret) >= 43  # 256 bits
    rows = stored(callers.settings, "SELECT b::text FROM app.browser b")
    assert len(rows) == 1
    assert secret not in str(rows)
    again = guest.post("/session", json={**body, "user": "other"})
    assert secret in str(again.headers.get_list("Set-Cookie"))  # a browser that two people use


def test_tries_that_come_at_once_count_as_well(callers: Callers) -> None:
    clients = [callers.browser() for _ in range(20)]
    body = {"user": "trader", "password": "guess"}
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = [
            one.result().status_code
            for one in [pool.submit(client.post, "/session", json=body) for client in clients]
        ]
    assert answers.count(429) >= 4, answers


def test_many_addresses_that_try_one_user_hold_him_up_for_seconds_at_most(
    callers: Callers,
) -> None:
    for number in range(attempts.FREE_OF_USER + 20):
        fail(callers, "trader", 1, address=f"10.0.0.{number}")
    answer = callers.nobody.post("/session", json={"user": "trader", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= attempts.LONGEST_OF_USER_S


def test_an_unknown_user_takes_as_long_as_a_wrong_password(callers: Callers) -> None:
    def seconds(user: str) -> float:
        took: list[float] = []
        for _ in range(7):
            execute(callers.settings, "DELETE FROM app.attempt")
            started = time.perf_counter()
            body = {"user": user, "password": "not this one"}
            assert callers.nobody.post("/session", json=body).status_code == 401
            took.append(time.perf_counter() - started)
        return median(took)

    passwords.nobodys()
    known, unknown = seconds("trader"), seconds("nobody1")
    assert 0.4 < known / unknown < 2.5
