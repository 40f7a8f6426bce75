"""How people sign in at a provider (`services.accounts.oidc`), which runs beside the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from mela.settings import Settings
from services.accounts import accounts, oidc
from tests.api.conftest import BASE, Browser, Callers
from tests.api.provider import CLIENT, SECRET, Person, Provider, provider
from warehouse.database import transaction

pytestmark = pytest.mark.integration


@dataclass
class Setting:
    """The application with a provider."""

    settings: Settings
    provider: Provider
    callers: Callers

    def browser(self) -> Browser:
        return self.callers.browser(self.settings)


@pytest.fixture(scope="module")
def running(scratch: Settings) -> Iterator[tuple[Settings, Provider]]:
    """A provider, and the settings by which the application asks it."""
    with provider(f"{BASE}{oidc.CALLBACK}") as found:
        changes = {
            "oidc_issuer": found.issuer,
            "oidc_client": CLIENT,
            "oidc_secret": SecretStr(SECRET),
            "oidc_role": "trader",
            "url": BASE,
        }
        api = scratch.api.model_copy(update=changes)
        yield scratch.model_copy(update={"api": api}), found


@pytest.fixture
def with_provider(callers: Callers, running: tuple[Settings, Provider]) -> Setting:
    settings, found = running
    found.person, found.is_broken = Person(), False
    found.seen.clear()
    return Setting(settings, found, callers)


def to_provider(by: Browser, next: str = "/") -> str:
    """Return where the provider sends the browser back to."""
    begun = by.get("/oidc/login", params={"next": next}, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    answer = httpx.get(begun.headers["Location"], trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def come_back(by: Browser, address: str) -> httpx.Response:
    return by.get(address, follow_redirects=False)


def test_who_comes_for_the_first_time_gets_an_account(with_provider: Setting) -> None:
    guest = with_provider.browser()
    answer = come_back(guest, to_provider(guest, "/scenes?state=finished"))

    assert answer.headers["Location"] == "/scenes?state=finished"
    me = guest.get("/session").json()
    assert (me["user"], me["role"]) == ("ada", "trader")
    [asked] = with_provider.provider.seen
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 22
    assert len(asked["state"]) >= 22

    again = with_provider.browser()
    come_back(again, to_provider(again))
    assert again.get("/session").json()["user"] == "ada"
    names = [one.user for one in accounts.every(with_provider.settings)]
    assert names.count("ada") == 1


def test_a_name_that_is_taken_is_not_taken_over(with_provider: Setting) -> None:
    with_provider.provider.person.name = "admin"
    guest = with_provider.browser()
    come_back(guest, to_provider(guest))
    me = guest.get("/session").json()
    assert (me["user"], me["role"]) == ("admin-2", "trader")


def test_an_answer_that_another_browser_asked_for_is_refused(with_provider: Setting) -> None:
    attacker, victim = with_provider.browser(), with_provider.browser()
    address = to_provider(attacker)
    assert come_back(victim, address).headers["Location"] == "/sign-in?oidc=refused"
    assert victim.get("/session").status_code == 401


def test_an_answer_is_good_once(with_provider: Setting) -> None:
    guest = with_provider.browser()
    address = to_provider(guest)
    cookie = guest.cookies["mela_oidc"]
    assert come_back(guest, address).headers["Location"] == "/"
    again = with_provider.browser()
    again.cookies.set("mela_oidc", cookie, domain="127.0.0.1")
    assert come_back(again, address).headers["Location"] == "/sign-in?oidc=refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"aud": "another client"},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1},
    ],
)
def test_an_id_token_that_does_not_fit_is_refused(
    with_provider: Setting, changes: dict[str, Any]
) -> None:
    with_provider.provider.person.changes = changes
    guest = with_provider.browser()
    assert come_back(guest, to_provider(guest)).headers["Location"] == "/sign-in?oidc=refused"
    assert guest.get("/session").status_code == 401


def test_a_code_without_its_verifier_is_worth_nothing(with_provider: Setting) -> None:
    guest = with_provider.browser()
    address = to_provider(guest)
    with transaction(with_provider.settings) as connection:
        connection.execute(text("UPDATE app.oidc_attempt SET code_verifier = repeat('x', 64)"))
    assert come_back(guest, address).headers["Location"] == "/sign-in?oidc=refused"


def test_where_no_role_is_set_nobody_without_an_account_comes_in(with_provider: Setting) -> None:
    api = with_provider.settings.api.model_copy(update={"oidc_role": None})
    closed = with_provider.settings.model_copy(update={"api": api})
    guest = with_provider.callers.browser(closed)
    assert come_back(guest, to_provider(guest)).headers["Location"] == "/sign-in?oidc=no_account"


def test_a_provider_that_fails_is_said_to_fail(with_provider: Setting) -> None:
    with_provider.provider.is_broken = True
    guest = with_provider.browser()
    assert come_back(guest, to_provider(guest)).headers["Location"] == "/sign-in?oidc=unavailable"


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(with_provider: Setting, next: str) -> None:
    guest = with_provider.browser()
    assert come_back(guest, to_provider(guest, next)).headers["Location"] == "/"


def test_without_a_provider_there_is_no_such_sign_in(callers: Callers) -> None:
    assert callers.nobody.get("/oidc/login", follow_redirects=False).status_code == 404
    query = {"state": "x", "code": "y"}
    answer = callers.nobody.get("/oidc/callback", params=query, follow_redirects=False)
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"oidc": ["refused"]}


def refusals(setting: Setting) -> list[dict[str, Any]]:
    found = setting.callers.admin.get("/audit", params={"action": "end_oidc", "limit": 200}).json()
    return [one for one in found["items"] if one["outcome"] == "refused"]


def test_a_sign_in_that_is_refused_is_in_the_audit_log(with_provider: Setting) -> None:
    attacker, victim = with_provider.browser(), with_provider.browser()
    come_back(victim, to_provider(attacker))
    [line] = refusals(with_provider)
    assert {key: line[key] for key in ("user", "via", "address", "detail")} == {
        "user": None,
        "via": "nobody",
        "address": "testclient",
        "detail": {"why": "refused"},
    }


def test_an_address_fills_neither_the_log_nor_the_provider(with_provider: Setting) -> None:
    guest = with_provider.browser()
    for _ in range(oidc.MOST_A_MINUTE + 5):
        answer = come_back(guest, "/oidc/callback?state=guessed&code=guessed")
        assert answer.headers["Location"] == "/sign-in?oidc=refused"
    assert len(refusals(with_provider)) == oidc.MOST_A_MINUTE

    asked = [
        guest.get("/oidc/login", follow_redirects=False) for _ in range(oidc.MOST_A_MINUTE + 1)
    ]
    assert [one.status_code for one in asked] == [303] * oidc.MOST_A_MINUTE + [429]
    assert asked[-1].json()["code"] == "too_many_attempts"
    with_provider.callers.browser().sign_in("trader")  # passwords are counted by themselves
