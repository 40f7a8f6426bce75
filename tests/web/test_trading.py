"""A session is started, watched, paused and killed on its page, on candles that are played."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from mela.settings import Settings
from tests.integration.playing import playing
from tests.web import judged
from tests.web.asking import ask, finished, grid, publish
from tests.web.conftest import NARROW, Shot, Site
from tests.web.test_pages import WAITING

pytestmark = pytest.mark.integration
HOURS = 12  # of the market: 72 s
SESSION = re.compile(r"/trading/[0-9a-f-]{36}")
YAML = """\
name: {name}
instruments: [binance:BTCUSDT, binance:ETHUSDT]
interval: 1m
strategy: {{name: sma_cross, params: {{fast: 2, slow: 5}}}}
risk: {{max_position_share: 1}}
broker: {{kind: paper}}
"""


@pytest.fixture
def market(site: Settings) -> Iterator[None]:
    """The market of the platform runs."""
    with playing(site, HOURS):
        yield


def write(page: Page, text: str) -> None:
    """Put another text into the editor of YAML."""
    editor = page.get_by_role("textbox", name="Session as YAML")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def nothing_is_wrong(page: Page) -> None:
    expect(page.locator(WAITING)).to_have_count(0)
    assert judged.violations(page) == []
    assert judged.too_wide(page) == 0


def test_a_session_is_started_watched_paused_and_killed(
    pages: Site,
    market: None,
    shot: Shot,
) -> None:
    name = f"on paper {uuid4().hex[:6]}"
    page = pages.page("tom", "/trading")
    page.get_by_role("link", name="Start a session").click()
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    write(page, YAML.format(name=name).replace("fast: 2", "fast: 9"))
    expect(page.get_by_role("button", name="Start on paper")).to_be_disabled()
    expect(page.locator("[data-valid=false]")).to_be_visible()
    write(page, YAML.format(name=name))
    page.get_by_role("button", name="Start on paper").click()

    expect(page).to_have_url(SESSION)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator('[data-session-state="running"]')).to_be_visible(timeout=60_000)
    expect(page.locator("[data-trades]")).not_to_have_text("0", timeout=60_000)  # by itself
    page.get_by_role("tab", name="Round trips").click()
    expect(page.locator("tr[data-row]").first).to_be_visible()
    page.get_by_role("tab", name="Risk").click()
    expect(page.get_by_text("passed").first).to_be_visible()
    shot(page, "trading-session")

    tina = pages.page("tina", "/trading", size=NARROW, scheme="dark")
    card = tina.locator("li", has_text=name)
    expect(card).to_be_visible()
    nothing_is_wrong(tina)
    card.get_by_role("link", name=name).click()
    expect(tina.get_by_role("heading", name=name)).to_be_visible()
    expect(tina.get_by_role("button", name="Pause")).to_have_count(0)  # it is not hers
    nothing_is_wrong(tina)
    shot(tina, "trading-session-phone")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator('[data-session-state="paused"]')).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator('[data-session-state="running"]')).to_be_visible()

    page.get_by_role("button", name="Kill switch").click()
    pull = page.get_by_role("button", name="Pull the kill switch")
    field = page.get_by_role("textbox", name=re.compile("to confirm"))
    expect(pull).to_be_disabled()
    field.fill(name[:-1])
    expect(pull).to_be_disabled()
    field.fill(name)
    page.keyboard.press("Enter")
    expect(page.locator('[data-risk-state="halted"]')).to_be_visible()
    expect(page.get_by_text("until somebody releases it").first).to_be_visible()
    expect(tina.locator('[data-risk-state="halted"]')).to_be_visible()
    page.get_by_role("tab", name="Positions").click()
    expect(page.get_by_text("It holds nothing")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)  # it fades
    nothing_is_wrong(page)
    shot(page, "trading-session-killed")

    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop the session").click()
    expect(page.locator('[data-session-state="stopped"]')).to_be_visible()
    expect(page.get_by_role("button", name="Kill switch")).to_have_count(0)


def test_a_run_is_traded_on_paper_from_its_page(pages: Site) -> None:
    owner = pages.context("tom")
    scene_id = publish(owner, grid(5), name="traded on paper")
    assert finished(owner, scene_id)["state"] == "finished"
    key = ask(owner, "GET", f"/scenes/{scene_id}/runs")["items"][0]["run_key"]
    page = pages.page("tom", f"/runs/{key}")
    page.get_by_role("link", name="Trade this on paper").click()

    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    expect(page.locator("[data-valid=true]")).to_be_visible()
    expect(page.get_by_role("button", name="Start on paper")).to_be_enabled()


def test_who_may_not_trade_sees_no_button_to_start(pages: Site) -> None:
    page = pages.page("vera", "/trading")
    expect(page.get_by_role("heading", name="Trading")).to_be_visible()
    expect(page.locator(WAITING)).to_have_count(0)
    expect(page.get_by_role("link", name="Start a session")).to_have_count(0)
    page.goto("/trading/new")
    expect(page.get_by_text("You may read, not trade")).to_be_visible()
