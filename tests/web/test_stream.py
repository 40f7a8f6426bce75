"""A stream that is cut, a page that is loaded anew, a session that ends."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.asking import SCENE, ask, finished, grid, publish
from tests.web.conftest import Site
from tests.web.test_way import sign_in

pytestmark = pytest.mark.integration

# Keeps each state that the page of a scene has shown, also across reloads.
REMEMBER = """
new MutationObserver(() => {
  const state = document.querySelector("[data-state]")?.getAttribute("data-state");
  const seen = JSON.parse(sessionStorage.getItem("seen") ?? "[]");
  if (!state || seen.at(-1) === state) return;
  sessionStorage.setItem("seen", JSON.stringify([...seen, state]));
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


def seen(page: Page) -> list[str]:
    return page.evaluate("JSON.parse(sessionStorage.getItem('seen') ?? '[]')")


def test_a_cut_is_shown_and_mends_itself(pages: Site) -> None:
    page = pages.page("tom", "/scenes")
    expect(page.locator('[data-stream="open"]')).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator('[data-stream="reconnecting"]')).to_be_visible()

    page.context.set_offline(False)
    expect(page.locator('[data-stream="open"]')).to_be_visible()


def test_what_happened_during_a_cut_is_shown_after_it(pages: Site) -> None:
    page = pages.page("tom", "/scenes")
    expect(page.locator('[data-stream="open"]')).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator('[data-stream="reconnecting"]')).to_be_visible()
    tina = pages.context("tina")
    finished(tina, publish(tina, SCENE, name="while nobody looked"))
    page.context.set_offline(False)

    row = page.locator("tr[data-row]", has_text="while nobody looked")
    expect(row).to_contain_text("finished")


def test_a_finished_scene_never_runs_again_on_the_screen(pages: Site) -> None:
    context = pages.context("tom")
    context.add_init_script(REMEMBER)
    page = context.new_page()
    page.goto("/scenes")
    scene_id = publish(context, grid(*range(2, 42)), name="forty runs")
    page.goto(f"/scenes/{scene_id}")
    expect(page.locator('[data-state="finished"]')).to_be_visible(timeout=60_000)
    for _ in range(3):
        context.set_offline(True)
        context.set_offline(False)
        page.reload()
        expect(page.locator('[data-state="finished"]')).to_be_visible()

    states = seen(page)
    order = ["received", "planned", "finished"]
    assert states == sorted(set(states), key=order.index), states


def test_a_session_that_ends_leads_to_the_sign_in_and_back(pages: Site) -> None:
    context = pages.context("tina")
    scene_id = publish(context, SCENE, name="where I was")
    finished(context, scene_id)
    page = context.new_page()
    page.goto(f"/scenes/{scene_id}")
    expect(page.get_by_role("heading", name="where I was")).to_be_visible()

    other = pages.context("tina")
    ask(other, "DELETE", "/sessions")
    page.get_by_role("tab", name="Scene").click()
    page.get_by_role("link", name="Strategies").first.click()
    expect(page).to_have_url(re.compile(r"/sign-in"))
    sign_in(page, "tina")
    expect(page).to_have_url(re.compile(r"/strategies"))
