"""The form of a scene and its YAML: each follows the other, and nothing that was typed is lost."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.web.asking import SCENE, finished, publish
from tests.web.conftest import PATIENCE_MS, Site
from tests.web.test_way import FAST, vary_fast

pytestmark = pytest.mark.integration
TEXT = """\
# asked on Monday
instruments: [binance:BTCUSDT]
interval: 1h
start: 2023-01-01T00:00:00Z
end: 2023-02-01T00:00:00Z
strategy: {name: sma_cross, params: {fast: 7}}
sizing: {kind: cash, amount: 500} # not in the form
"""


def new_scene(pages: Site, query: str = "") -> Page:
    page = pages.page("tom", f"/scenes/new{query}")
    expect(page.locator(FAST)).to_be_visible()
    return page


def write_yaml(page: Page, text: str) -> None:
    page.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def yaml_of(page: Page) -> str:
    return "\n".join(page.locator(".cm-line").all_inner_texts())


def test_the_form_follows_the_yaml_and_the_yaml_the_form(pages: Site) -> None:
    page = new_scene(pages)
    write_yaml(page, TEXT)
    expect(page.get_by_label("fast", exact=True)).to_have_value("7")

    page.get_by_label("fast", exact=True).fill("9")
    expect(page.locator(".cm-content")).to_contain_text("fast: 9")
    assert yaml_of(page).rstrip() == TEXT.replace("fast: 7", "fast: 9").rstrip()


def test_a_fault_stands_beside_its_field_and_in_the_yaml(pages: Site) -> None:
    page = new_scene(pages)
    page.get_by_label("fast", exact=True).fill("-1")
    field = page.locator(FAST)
    expect(field).to_contain_text("greater than or equal to 1")
    expect(page.get_by_text("One thing is wrong")).to_be_visible()
    expect(page.locator(".cm-lintRange-error")).to_have_text("fast")
    expect(page.get_by_role("button", name="Publish")).to_be_disabled()

    page.get_by_label("fast", exact=True).fill("five")
    expect(field).to_contain_text("A number, please.")
    assert page.get_by_label("fast", exact=True).input_value() == "five"

    page.get_by_label("fast", exact=True).fill("5")
    expect(page.get_by_role("button", name="Publish")).to_be_enabled()


def test_a_text_that_cannot_be_read_locks_the_form_and_is_kept(pages: Site) -> None:
    page = new_scene(pages)
    broken = TEXT + "exits: {stop_loss: 0.05\n"
    write_yaml(page, broken)
    expect(page.get_by_text("The YAML cannot be read")).to_be_visible()
    expect(page.get_by_label("fast", exact=True)).to_be_disabled()
    assert "exits: {stop_loss: 0.05" in yaml_of(page)

    write_yaml(page, TEXT)
    expect(page.get_by_label("fast", exact=True)).to_be_enabled()


def test_runs_are_counted_while_one_types(pages: Site) -> None:
    page = new_scene(pages)
    vary_fast(page, first=5, last=50, step=5)
    expect(page.locator('[data-runs="10"]')).to_be_visible()
    page.locator('[data-param="exits.stop_loss"]').get_by_text("list", exact=True).click()
    page.get_by_label("Values of stop loss").fill("none, 2%, 5%")

    # The API knows, too, that `fast` must be below `slow`: 5 of 10 values are.
    expect(page.locator("[data-runs]")).to_contain_text("15")
    expect(page.locator("[data-runs]")).to_contain_text("15 combinations left out")
    assert "[ null, 0.02, 0.05 ]" in yaml_of(page) or "[null, 0.02, 0.05]" in yaml_of(page)


def test_a_draft_survives_a_reload_and_ends_with_the_publication(pages: Site) -> None:
    page = new_scene(pages)
    page.get_by_label("Name", exact=True).fill("a draft")
    page.get_by_label("fast", exact=True).fill("11")
    expect(page.locator(".cm-content")).to_contain_text("fast: 11")
    until = time.monotonic() + PATIENCE_MS / 1_000
    while "fast: 11" not in page.evaluate("JSON.stringify({...localStorage})"):
        assert time.monotonic() < until, "the draft was not kept"
        page.wait_for_timeout(50)
    page.reload()
    expect(page.get_by_text("Your draft is still here.")).to_be_visible()
    expect(page.get_by_label("fast", exact=True)).to_have_value("11")

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", name="a draft")).to_be_visible()
    page.goto("/scenes/new")
    expect(page.locator(FAST)).to_be_visible()
    expect(page.get_by_label("fast", exact=True)).to_have_value("")


def test_a_scene_begins_from_another_one(pages: Site) -> None:
    context = pages.context("tom")
    scene_id = publish(context, SCENE, name="a model", tags=["model"])
    finished(context, scene_id)
    page = new_scene(pages, f"?from={scene_id}")

    expect(page.get_by_label("Name", exact=True)).to_have_value("a model (again)")
    expect(page.get_by_label("slow", exact=True)).to_have_value("60")
    expect(page.locator("[data-runs]")).to_contain_text("1")


def test_a_viewer_is_told_that_asking_is_for_traders(pages: Site) -> None:
    page = pages.page("vera", "/scenes/new")
    expect(page.get_by_text("You may read, not ask")).to_be_visible()
    expect(page.get_by_role("link", name="New scene")).to_have_count(0)
