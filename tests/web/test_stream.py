"""A stream that is cut, a page that is loaded anew, a session that ends."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from mela.settings import Settings
from tests.web.asking import SCENE, ask, finished, grid, named, publish
from tests.web.conftest import Site
from tests.web.line import Line
from tests.web.test_way import sign_in

pytestmark = pytest.mark.integration

# Keeps each state that the page of a scene has shown, also across reloads.
REMEMBER = """
new MutationObserver(() => {
  const state = document.querySelector("[data-scene-state]")?.getAttribute("data-scene-state");
  const seen = JSON.parse(sessionStorage.getItem("seen") ?? "[]");
  if (!state || seen.at(-1) === state) return;
  sessionStorage.setItem("seen", JSON.stringify([...seen, state]));
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


def seen(page: Page) -> list[str]:
    return page.evaluate("JSON.parse(sessionStorage.getItem('seen') ?? '[]')")


@pytest.fixture
def line(site: Settings) -> Iterator[Line]:
    address = urlsplit(site.api.url)
    assert address.hostname
    assert address.port
    with Line(address.hostname, address.port) as line:
        yield line


def live(page: Page) -> None:
    expect(page.locator('[data-stream="open"]')).to_be_visible(timeout=20_000)


def cut(page: Page) -> None:
    expect(page.locator('[data-stream="reconnecting"]')).to_be_visible(timeout=20_000)


def test_a_cut_is_shown_and_mends_itself(pages: Site, line: Line) -> None:
    page = pages.page("tom", "/scenes", url=line.url)
    live(page)
    line.cut()
    cut(page)
    line.mend()
    live(page)


def test_a_network_that_is_gone_counts_as_a_cut(pages: Site) -> None:
    page = pages.page("tom", "/scenes")
    live(page)
    page.context.set_offline(True)
    cut(page)
    page.context.set_offline(False)
    live(page)


def test_a_run_page_stays_while_the_api_is_away_and_is_read_anew_when_it_is_back(
    pages: Site, line: Line
) -> None:
    context = pages.context("tom", url=line.url)
    scene_id = publish(context, SCENE, name="read while away")
    finished(context, scene_id)
    run_key = ask(context, "GET", f"/scenes/{scene_id}/runs")["items"][0]["run_key"]
    page = context.new_page()
    page.goto(f"/runs/{run_key}")
    heading = page.get_by_role("heading", name="Trades", exact=True)
    expect(heading).to_be_visible()
    line.cut()
    page.wait_for_timeout(11_000)  # what was read counts as fresh for ten seconds
    page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")  # it is looked at again
    expect(page.locator('[data-freshness="old"]')).to_be_visible()
    expect(heading).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    # A page that was never loaded comes by itself, too, once it can.
    page.get_by_role("link", name="Strategies").first.click()
    line.mend()
    expect(page.get_by_role("link", name="sma_cross", exact=True)).to_be_visible(timeout=40_000)
    page.go_back()
    expect(heading).to_be_visible()
    expect(page.locator('[data-freshness="fresh"]')).to_be_attached()


def test_what_happened_during_a_cut_is_shown_after_it(pages: Site, line: Line) -> None:
    page = pages.page("tom", "/scenes", url=line.url)
    live(page)
    line.cut()
    cut(page)
    tina, name = pages.context("tina"), named("while nobody looked")
    finished(tina, publish(tina, SCENE, name=name))
    expect(page.get_by_text(name)).to_have_count(0)
    line.mend()

    row = page.locator("tr[data-row]", has_text=name)
    expect(row).to_contain_text("finished", timeout=30_000)


def test_eight_tabs_share_one_stream_which_the_next_one_takes_over(pages: Site) -> None:
    """A browser opens six connections to a host: with a stream in each, the seventh never loads."""
    context = pages.context("tom")
    streams: list[Page] = []  # the tabs that began one

    def began(request: Request) -> None:
        if "/api/v1/events?" in request.url:
            streams.append(request.frame.page)

    context.on("request", began)
    tabs = [context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto("/scenes")
    for tab in tabs:
        live(tab)
        expect(tab.locator("tr[data-row]").first).to_be_visible()
    assert len(streams) == 1, streams

    tina = pages.context("tina")
    heard_by_all(tabs, tina, named("heard by eight"))
    [leader] = streams
    others = [tab for tab in tabs if tab is not leader]
    leader.close()
    for _ in range(100):
        others[0].wait_for_timeout(100)
        if len(streams) == 2:
            break
    assert len(streams) == 2, streams
    heard_by_all(others, tina, named("heard by seven"))
    assert len(streams) == 2, streams


def heard_by_all(tabs: list[Page], asker: BrowserContext, name: str) -> None:
    """Let a scene end, and see that in each tab."""
    finished(asker, publish(asker, SCENE, name=name))
    for tab in tabs:
        live(tab)
        expect(tab.locator("tr[data-row]", has_text=name)).to_contain_text("finished")


def test_a_new_name_and_what_is_hidden_and_shared_again_are_seen_at_once(pages: Site) -> None:
    tina, name = pages.context("tina"), named("before")
    scene_id = publish(tina, SCENE, name=name)
    finished(tina, scene_id)
    tom = pages.context("tom")
    scene, scenes = tom.new_page(), tom.new_page()
    scene.goto(f"/scenes/{scene_id}")
    scenes.goto("/scenes")
    row = scenes.locator("tr[data-row]")
    for page in (scene, scenes):
        live(page)
    expect(row.filter(has_text=name)).to_be_visible()
    expect(scene.get_by_role("heading", name=name)).to_be_visible()

    after = named("after")
    ask(tina, "PATCH", f"/scenes/{scene_id}", {"name": after})
    expect(scene.get_by_role("heading", name=after)).to_be_visible()
    expect(row.filter(has_text=after)).to_be_visible()

    ask(tina, "PATCH", f"/scenes/{scene_id}", {"tags": ["calm"], "note": "Only in calm years."})
    expect(scene.get_by_text("calm", exact=True)).to_be_visible()
    expect(scene.get_by_text("Only in calm years.")).to_be_visible()
    expect(row.filter(has_text=after)).to_contain_text("calm")

    ask(tina, "PATCH", f"/scenes/{scene_id}", {"is_private": True})
    expect(scene.get_by_text("This scene is not shared any more")).to_be_visible()
    expect(row.filter(has_text=after)).to_have_count(0)

    ask(tina, "PATCH", f"/scenes/{scene_id}", {"is_private": False})
    expect(scene.get_by_role("heading", name=after)).to_be_visible()
    expect(row.filter(has_text=after)).to_be_visible()


def test_a_finished_scene_never_runs_again_on_the_screen(pages: Site, line: Line) -> None:
    context = pages.context("tom", url=line.url)
    context.add_init_script(REMEMBER)
    page = context.new_page()
    page.goto("/scenes")
    scene_id = publish(context, grid(*range(2, 42)), name="forty runs")
    page.goto(f"/scenes/{scene_id}")
    expect(page.locator('[data-scene-state="finished"]')).to_be_visible(timeout=60_000)
    for _ in range(3):
        line.cut()
        cut(page)
        line.mend()
        live(page)
        page.reload()
        expect(page.locator('[data-scene-state="finished"]')).to_be_visible()

    states = seen(page)
    order = ["received", "planned", "finished"]
    assert states == sorted(set(states), key=order.index), states


def test_an_end_that_overtakes_an_answer_is_shown_with_its_results(pages: Site) -> None:
    context = pages.context("tom")
    scene_id = publish(context, grid(3, 4), name="overtaken")
    early = ask(context, "GET", f"/scenes/{scene_id}")
    assert early["best_metrics"] is None
    page = context.new_page()
    answers: list[str] = []

    def late(route: Route) -> None:
        answers.append(route.request.url)
        if len(answers) > 1:
            return route.continue_()
        finished(context, scene_id)
        time.sleep(1)  # the stream tells of the end meanwhile
        return route.fulfill(json=early)

    page.route(f"**/api/v1/scenes/{scene_id}", late)
    page.goto(f"/scenes/{scene_id}")
    expect(page.locator('[data-scene-state="finished"]')).to_be_visible(timeout=60_000)
    expect(page.locator('[data-metric="sharpe"]')).not_to_be_empty()
    expect(page.locator("tr[data-row]").first).to_be_visible()
    assert len(answers) > 1


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


def test_all_tabs_lead_to_the_sign_in_where_the_session_ends_though_nobody_clicks(
    pages: Site,
) -> None:
    context = pages.context("tina")
    tabs = [context.new_page(), context.new_page()]
    for tab in tabs:
        tab.goto("/scenes")
        live(tab)
    ask(pages.context("tina"), "DELETE", "/sessions")
    for tab in tabs:
        expect(tab).to_have_url(re.compile(r"/sign-in\?next="), timeout=40_000)
