"""The web application in a real browser, on the platform of the integration tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mela.settings import REPOSITORY, Settings
from services.accounts import accounts, passwords, sessions
from services.accounts.accounts import Role
from tests.web import chromium
from tests.workers import PLATFORM
from warehouse.accounts import accounts as stored
from warehouse.database import transaction

PASSWORD = "seven quiet herons"
USERS = {"vera": Role.VIEWER, "tom": Role.TRADER, "tina": Role.TRADER, "ada": Role.ADMIN}
SCREENS = REPOSITORY / "build" / "screens"
WIDE, NARROW = (1440, 900), (390, 844)
PATIENCE_MS = 20_000  # two cores, and everything of the stack on them


def open_browser(running: ExitStack) -> Browser:
    """Return a browser that closes with a stack, and with it Playwright.

    Playwright keeps an event loop running in this thread: until it is stopped, no other test of
    the process can run one.
    """
    found = chromium.find()
    playwright = running.enter_context(sync_playwright())
    browser = playwright.chromium.launch(
        executable_path=str(found.path),
        args=["--no-sandbox"],  # the tests may run as root
        env={**os.environ, **found.environment},
    )
    running.callback(browser.close)
    return browser


@pytest.fixture(scope="session")
def chrome(pytestconfig: pytest.Config, platform: Settings) -> Browser:
    """A browser for all tests of the platform; it closes before the platform does."""
    expect.set_options(timeout=PATIENCE_MS)
    return open_browser(pytestconfig.stash[PLATFORM])


@pytest.fixture(scope="session")
def site(platform: Settings) -> Settings:
    """The platform, with an account of each role."""
    known = passwords.hashed(PASSWORD)
    with transaction(platform) as connection:
        for name, role in USERS.items():
            if stored.by_name(connection, name) is None:
                accounts.stored_new(connection, name, role, known)
    return platform


@dataclass(frozen=True, slots=True)
class Site:
    """What a test of pages has in hand."""

    settings: Settings
    browser: Browser
    stack: ExitStack

    def context(
        self,
        user: str | None = None,
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        url: str | None = None,
    ) -> BrowserContext:
        """Return a browser's profile of its own, signed in as a user.

        url: where the application is reached, if not at its own address
        """
        context = self.browser.new_context(
            base_url=url or self.settings.api.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            accept_downloads=True,
        )
        self.stack.callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        if user is not None:
            cookie = {"name": "mela_session", "value": self._token(user)}
            context.add_cookies([{**cookie, "url": url or self.settings.api.url}])  # type: ignore[typeddict-item]
        return context

    def _token(self, user: str) -> str:
        """Begin a session without the password, whose hash takes its time."""
        with transaction(self.settings) as connection:
            account = stored.by_name(connection, user)
        assert account is not None
        return sessions.begin(self.settings, account, address="127.0.0.1", agent=None).token

    def page(self, user: str | None = None, path: str = "/", **options: object) -> Page:
        """Return a page of the application, opened."""
        page = self.context(user, **options).new_page()  # type: ignore[arg-type]
        page.goto(path)
        return page


@pytest.fixture
def pages(site: Settings, chrome: Browser) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(site, chrome, stack)


Shot = Callable[[Page, str], None]


@pytest.fixture(scope="session")
def shot() -> Shot:
    """Keep a picture of a page under build/screens, for people to look at."""
    SCREENS.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=SCREENS / f"{name}.png")

    return keep
