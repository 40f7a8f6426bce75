"""The whole way, as somebody goes it who has read no page of docs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import NARROW, PASSWORD, Shot, Site

pytestmark = pytest.mark.integration
SCENE = re.compile(r"/scenes/[0-9a-f-]{36}")
FAST = '[data-param="strategy.params.fast"]'


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label("User").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def vary_fast(page: Page, *, first: int, last: int, step: int) -> None:
    """Ask for a range of the parameter `fast`."""
    page.locator(FAST).get_by_text("range", exact=True).click()
    for part, value in {"from": first, "to": last, "step": step}.items():
        page.get_by_label(f"fast: {part}").fill(str(value))


def test_a_grid_is_asked_from_the_form_watched_read_and_compared(pages: Site, shot: Shot) -> None:
    page = pages.page(path="/")
    sign_in(page, "tom")
    expect(page.get_by_role("heading", name="Scenes")).to_be_visible()
    shot(page, "way-scenes")

    page.get_by_role("link", name="New scene").first.click()
    vary_fast(page, first=5, last=20, step=5)
    expect(page.locator('[data-runs="4"]')).to_be_visible()
    page.get_by_label("Name", exact=True).fill("the way of a newcomer")
    shot(page, "way-new-scene")
    page.get_by_role("button", name="Publish").click()

    expect(page).to_have_url(SCENE)
    expect(page.locator('[data-scene-state="finished"]')).to_be_visible(timeout=60_000)
    expect(page.locator('[data-metric="sharpe"]')).not_to_be_empty()
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Sort by trades").click()
    expect(page.get_by_role("columnheader", name="trades")).to_have_attribute(
        "aria-sort", re.compile("ending")
    )
    expect(rows).to_have_count(4)
    column = 1 + page.get_by_role("columnheader").all_inner_texts().index("Trades")
    said = page.locator(f"tr[data-row] td:nth-child({column})").all_inner_texts()
    trades = [int(text) for text in said]
    assert trades in (sorted(trades), sorted(trades, reverse=True))
    shot(page, "way-scene")

    for place in (0, 1):
        rows.nth(place).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/compare\?run="))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("fast").first).to_be_visible()
    shot(page, "way-compare")


def test_the_same_on_a_phone(pages: Site, shot: Shot) -> None:
    page = pages.page("tina", "/scenes", size=NARROW)
    page.get_by_role("link", name="New scene").click()
    vary_fast(page, first=10, last=12, step=1)
    expect(page.locator('[data-runs="3"]')).to_be_visible()
    page.get_by_role("button", name="Publish").click()

    expect(page).to_have_url(SCENE)
    expect(page.locator('[data-scene-state="finished"]')).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="#1", exact=True)).to_be_visible()
    shot(page, "way-scene-phone")
    page.get_by_role("link", name="Open the run").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f]{64}"))


def test_a_wrong_password_says_nothing_about_the_user(pages: Site) -> None:
    said = []
    for user in ("tom", "nobody-of-that-name"):
        page = pages.page(path="/sign-in")
        sign_in(page, user, "a wrong one, surely")
        said.append(page.get_by_role("alert").inner_text())

    assert said[0] == said[1]


def test_who_was_not_signed_in_comes_to_the_page_that_was_asked_for(pages: Site) -> None:
    page = pages.page(path="/strategies/sma_cross")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    sign_in(page, "vera")

    expect(page).to_have_url(re.compile(r"/strategies/sma_cross$"))


def test_the_way_on_never_leads_to_another_site(pages: Site) -> None:
    for goal in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        page = pages.page(path=f"/sign-in?next={goal}")
        sign_in(page, "vera")
        expect(page).to_have_url(re.compile(r"/scenes$"))
