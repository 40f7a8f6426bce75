"""The pages in a real Chromium: how soon a run is drawn, how smoothly it moves, what is loaded."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.web_asking import PASSWORD
from mela.errors import MelaError
from tests.web import chromium

WIDE = {"width": 1440, "height": 900}
PATIENCE_MS = 60_000
MOVES, STEP_PX = 60, 6
DRAWN = "mela:run-chart-drawn"  # the mark that the page of a run leaves
AXIS_PX = 80  # of prices, at the right of the chart
KILOBYTE = 1024
_FRAMES = """() => {
    window.frames_ = [];
    const next = (now) => {
        window.frames_.push(now);
        window.asked_ = requestAnimationFrame(next);
    };
    window.asked_ = requestAnimationFrame(next);
}"""
_COUNTED = """() => {
    cancelAnimationFrame(window.asked_);
    const seen = window.frames_;
    return (seen.length - 1) / (seen[seen.length - 1] - seen[0]) * 1000;
}"""
_SCRIPTS = """() => performance.getEntriesByType('resource')
    .filter((one) => new URL(one.name).pathname.endsWith('.js'))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


@contextmanager
def opened() -> Generator[Browser]:
    """Yield a Chromium: the machine's own, or the one that npm brings."""
    found = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(found.path),
            args=["--no-sandbox"],  # whoever measures may be root
            env={**os.environ, **found.environment},
        )
        try:
            yield browser
        finally:
            browser.close()


def initial_javascript(browser: Browser, url: str) -> float:
    """Return the kB of JavaScript, as sent, that the first page loads in a new browser."""
    page = context_page(browser, url, None)
    page.goto("/", wait_until="networkidle")
    size = float(page.evaluate(_SCRIPTS)) / KILOBYTE
    page.context.close()
    if size < 1:
        raise MelaError("the first page loaded no script")
    return size


def run_pages(
    browser: Browser, url: str, user: str, warm: str, run_keys: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Return for each run the seconds from opening its page to its chart, and frames a second.

    warm: a run that is opened before, so that the browser has the scripts, as it has after a day
    """
    drawn: list[float] = []
    frames: list[float] = []
    page = context_page(browser, url, user)
    _open(page, warm)
    for run_key in run_keys:
        drawn.append(_open(page, run_key))
        frames.append(_moved(page))
    page.context.close()
    return drawn, frames


def context_page(browser: Browser, url: str, user: str | None) -> Page:
    """Return a page of a browser's profile of its own, signed in as a user if one is named."""
    context = browser.new_context(base_url=url, viewport=WIDE)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    if user is not None:
        answer = context.request.post("/api/v1/session", data={"user": user, "password": PASSWORD})
        if not answer.ok:
            raise MelaError(f"nobody could sign in: {answer.text()}")
    return context.new_page()


def _open(page: Page, run_key: str) -> float:
    """Open a run and return the seconds from the beginning of that to the chart on the screen."""
    page.goto("about:blank")
    page.goto(f"/runs/{run_key}", wait_until="commit")
    page.locator("[role=application][data-drawn=true]").wait_for()
    return float(page.evaluate(f"performance.getEntriesByName('{DRAWN}')[0].startTime")) / 1000


def _moved(page: Page) -> float:
    """Drag the chart to and fro and zoom by the wheel; return the frames a second meanwhile."""
    page.wait_for_load_state("networkidle")
    chart = page.get_by_role("application")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    if box is None:
        raise MelaError("the chart of a run is not on the screen")
    x, y = box["x"] + (box["width"] - AXIS_PX) / 2, box["y"] + 120
    page.mouse.move(x, y)
    for _ in range(4):  # some of it is left outside, so that there is where to go
        page.mouse.wheel(0, -120)
    page.wait_for_timeout(600)
    page.evaluate(_FRAMES)
    for direction in (1, -1):
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(MOVES):
            page.mouse.move(x + direction * step * STEP_PX, y)
            page.wait_for_timeout(8)
        page.mouse.up()
    for turn in range(MOVES):
        page.mouse.wheel(0, -40 if turn % 20 < 10 else 40)
        page.wait_for_timeout(8)
    return float(page.evaluate(_COUNTED))
