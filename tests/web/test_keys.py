"""What a keyboard alone can do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PASSWORD, Site

pytestmark = pytest.mark.integration


def test_keys_lead_to_the_pages_and_to_the_search(pages: Site) -> None:
    page = pages.page("tom", "/scenes")
    expect(page.get_by_role("heading", name="Scenes")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search in name, note and tags")).to_be_focused()
    page.keyboard.type("g t")
    expect(page).to_have_url(re.compile(r"text=g"))  # typed, not a way to another page
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Scenes").click()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile(r"/strategies$"))
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"/scenes/new$"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)


def test_somebody_signs_in_and_opens_a_scene_without_a_mouse(pages: Site) -> None:
    page = pages.page(path="/sign-in")
    expect(page.get_by_label("User")).to_be_focused()
    page.keyboard.type("tom")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    links = page.locator("[data-row-link]")
    expect(links.first).to_be_visible()
    links.first.focus()
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/scenes/[0-9a-f-]{36}"))


def test_the_first_tab_leads_past_the_navigation(pages: Site) -> None:
    page = pages.page("tom", "/scenes")
    expect(page.get_by_role("heading", name="Scenes")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
