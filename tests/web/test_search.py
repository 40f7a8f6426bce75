"""What the page of a search shows of many runs: the map, the lines, the report in words."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web.asking import SCENE, ask, finished, named, publish
from tests.web.conftest import Shot, Site

pytestmark = pytest.mark.integration

FAST, STOP = "strategy.params.fast", "exits.stop_loss"
# More values than a map shows one by one, so that it gathers them into ranges.
MANY = {
    **SCENE,
    "strategy": {"name": "sma_cross", "params": {"slow": 90}},
    "search": {"space": {FAST: {"from": 1, "to": 70, "step": 1}, STOP: [None, 0.03]}},
}


def searched(context: BrowserContext) -> str:
    """Return a scene of 140 runs, which has finished."""
    scene_id = publish(context, MANY, name=named("many values"))
    scene = finished(context, scene_id, timeout_s=120)
    assert scene["recorded"] == scene["runs"] == 140
    return scene_id


def opened(page: Page) -> list[str]:
    """Return the conditions of the runs that are shown, once they are."""
    expect(page).to_have_url(re.compile(r"tab=runs"))
    return conditions_of(page.url)


def conditions_of(address: str) -> list[str]:
    """Return the conditions of an address, whose list is written as JSON."""
    [text] = parse_qs(urlsplit(address).query)["where"]
    return re.findall(r'"([^"]+)"', text)


def runs_of(context: BrowserContext, scene_id: str) -> list[dict[str, Any]]:
    return ask(context, "GET", f"/scenes/{scene_id}/runs?limit=1000")["items"]


def test_a_cell_of_a_map_says_its_range_and_opens_just_its_runs(pages: Site, shot: Shot) -> None:
    context = pages.context("tom")
    scene_id = searched(context)
    all_runs = runs_of(context, scene_id)
    page = context.new_page()
    page.goto(f"/scenes/{scene_id}?tab=map")
    chart = page.get_by_role("img", name=re.compile(r"at fast \d+( to \d+)? and "))
    canvas = chart.locator("canvas").first
    expect(canvas).to_be_visible()
    shot(page, "map-of-ranges")
    box = canvas.bounding_box()
    assert box is not None

    # The lower of both rows is of the runs without a stop, the upper one of those with it.
    for height, stop, words in ((0.62, None, "null"), (0.22, 0.03, "0.03")):
        page.goto(f"/scenes/{scene_id}?tab=map")
        expect(canvas).to_be_visible()
        page.wait_for_timeout(500)  # a canvas does not say when it has been drawn
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * height)
        low, high, other = opened(page)
        assert other == f"{STOP}:eq:{words}"
        first, last = (int(text.rsplit(":", 1)[1]) for text in (low, high))
        assert (low, high) == (f"{FAST}:ge:{first}", f"{FAST}:le:{last}")
        assert 1 < first < last < 70
        behind = [
            one
            for one in all_runs
            if first <= one["params"][FAST] <= last and one["params"][STOP] == stop
        ]
        expect(page.locator("tr[data-row]")).to_have_count(len(behind))


def test_lines_are_left_that_pass_where_one_drags_along_an_axis(pages: Site, shot: Shot) -> None:
    context = pages.context("tom")
    scene_id = searched(context)
    page = context.new_page()
    page.goto(f"/scenes/{scene_id}?tab=parallel")
    canvas = page.get_by_role("img", name=re.compile(r"^The best 140 runs as lines")).locator(
        "canvas"
    )
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = canvas.bounding_box()
    assert box is not None
    # The first axis, at the left, is the stop: its upper half is of the 70 runs with one.
    left, top, bottom = box["x"] + 50, box["y"] + 44, box["y"] + box["height"] - 20
    page.mouse.move(left, top + 4)
    page.mouse.down()
    page.mouse.move(left, top + (bottom - top) / 4, steps=4)
    page.mouse.move(left, top + (bottom - top) / 2, steps=4)
    page.mouse.up()

    said = page.get_by_role("status").filter(has_text=re.compile(r"\d+ of 140 lines are left"))
    expect(said).to_be_visible()
    assert said.inner_text().split()[0] == "70"
    shot(page, "parallel-selected")


def test_the_report_says_in_words_what_the_best_is_worth(pages: Site, shot: Shot) -> None:
    context = pages.context("tom")
    scene_id = searched(context)
    told = ask(context, "GET", f"/scenes/{scene_id}/report")
    page = context.new_page()
    page.goto(f"/scenes/{scene_id}?tab=report")

    panel = page.locator(".mela-panel").filter(has=page.get_by_role("heading", name="In words"))
    expect(panel).to_be_visible()
    assert told["words"]
    for sentence in told["words"]:
        expect(panel).to_contain_text(sentence)
    # How probable luck is, or why that cannot be said, comes first.
    assert re.match(
        r"Of [0-9,]+ tries the best|There is no verdict|How much of it is luck", told["words"][0]
    )
    shot(page, "report-in-words")
