"""The application on a real Postgres, and callers of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import PREFIX, create_app
from mela.settings import Settings
from services.accounts import accounts, passwords, sessions
from services.accounts.accounts import Role
from warehouse.accounts import accounts as stored
from warehouse.database import transaction

BASE = "http://127.0.0.1:8000"
PASSWORD = "seven quiet herons"
CALLERS = {
    "viewer": Role.VIEWER,
    "trader": Role.TRADER,
    "other": Role.TRADER,
    "admin": Role.ADMIN,
}
EMPTY_APP = text("TRUNCATE app.account, app.attempt, app.audit_entry, app.oidc_attempt CASCADE")


class Browser(TestClient):
    """A client that keeps cookies and, once signed in, sends the CSRF token."""

    def enter(self, settings: Settings, user: str) -> None:
        """Begin a session without the password, whose hash takes its time."""
        with transaction(settings) as connection:
            account = stored.by_name(connection, user)
        assert account is not None
        begun = sessions.begin(settings, account, address="testclient", agent=None)
        self.cookies.set("mela_session", begun.token, domain="127.0.0.1", path="/")
        self.headers["X-CSRF-Token"] = sessions.csrf_token(begun.token)

    def sign_in(self, user: str, password: str = PASSWORD) -> None:
        answer = self.post("/session", json={"user": user, "password": password})
        assert answer.status_code == 200, answer.text
        self.headers["X-CSRF-Token"] = answer.json()["csrf_token"]


@dataclass
class Callers:
    """The application and those who ask it."""

    settings: Settings
    nobody: Browser
    viewer: Browser
    trader: Browser
    other: Browser
    admin: Browser
    stack: ExitStack = field(repr=False)

    def browser(self, settings: Settings | None = None) -> Browser:
        """Return one more client, who has not signed in."""
        return self.stack.enter_context(browser(settings or self.settings))


@lru_cache(maxsize=1)
def hashed() -> str:
    return passwords.hashed(PASSWORD)


_APPS: dict[int, FastAPI] = {}  # making one takes as long as ten tests


def browser(settings: Settings) -> Browser:
    app = _APPS.get(id(settings))
    if app is None or app.state.settings is not settings:
        app = _APPS[id(settings)] = create_app(settings)
    return Browser(app, base_url=f"{BASE}{PREFIX}", raise_server_exceptions=False)


@pytest.fixture
def callers(warehouse: Settings) -> Iterator[Callers]:
    """Nobody, a viewer, two traders and an administrator, all but nobody signed in."""
    with transaction(warehouse) as connection:
        connection.execute(EMPTY_APP)
    with ExitStack() as stack:
        found: dict[str, Browser] = {}
        for name, role in CALLERS.items():
            with transaction(warehouse) as connection:
                accounts.stored_new(connection, name, role, hashed())
            found[name] = stack.enter_context(browser(warehouse))
            found[name].enter(warehouse, name)
        nobody = stack.enter_context(browser(warehouse))
        yield Callers(warehouse, nobody, stack=stack, **found)


from tests.api.lived_in import team  # noqa: E402, F401  a fixture, made of what is above
