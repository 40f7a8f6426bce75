"""What somebody waits for who publishes a scene and watches it in a real Chromium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, expect

from benchmarks.web_pages import context_page
from mela.errors import MelaError

SLOW, FIRST_FAST = 200, 3  # of the strategy: each scene that is published has another `fast`
# Keeps when the stream first told of each scene, and when its page first showed its result.
_KEEP = """
window.told_ = {}; window.shown_ = {};
const Source = window.EventSource;
window.EventSource = class extends Source {
  constructor(...given) {
    super(...given);
    this.addEventListener("scene", ({data}) => {
      window.told_[JSON.parse(data).scene_id] ??= performance.now();
    });
  }
};
new MutationObserver(() => {
  const scene = location.pathname.split("/")[2];
  const isEnded = document.querySelector("[data-scene-state=finished]") !== null;
  if (isEnded && document.querySelector("[data-metric=sharpe]")?.textContent) {
    window.shown_[scene] ??= performance.now();
  }
}).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
"""
_CLICK = """(button) => { window.clicked_ = performance.now(); button.click(); }"""
# Resolves when the page shows the result; `wait_for_function` evals, which the policy forbids.
_TOOK = """() => new Promise((done) => {
  const look = () => {
    const scene = location.pathname.split("/")[2];
    const [told, shown] = [window.told_[scene], window.shown_[scene]];
    if (told === undefined || shown === undefined) return requestAnimationFrame(look);
    done([scene, told - window.clicked_, shown - window.clicked_]);
  };
  look();
})"""
# Resolves with the seconds until the table of runs has rows, and other rows than before.
_ROWS = """(before) => new Promise((done) => {
  const keys = () => [...document.querySelectorAll("tr[data-row] [data-row-link]")]
    .map((link) => link.getAttribute("href")).join();
  const look = () => {
    const now = keys();
    if (now !== "" && now !== before) done([now, performance.now() / 1000]);
    else requestAnimationFrame(look);
  };
  look();
})"""


class Told(NamedTuple):
    """Seconds from each click on Publish to the first event, and to the result on the screen."""

    first_event: list[float]
    result_shown: list[float]


def published_in_browser(
    browser: Browser, url: str, user: str, model: str, repeats: int, warm: int
) -> Told:
    """Publish scenes like another one from the form, and watch each to its result.

    model: the id of a scene of sma_cross, from which the form begins
    warm: scenes that are published before, and not counted
    """
    told = Told([], [])
    page = context_page(browser, url, user)
    page.add_init_script(_KEEP)
    for number in range(repeats + warm):
        scene_id, first_s, shown_s = _publish(page, model, FIRST_FAST + number)
        if min(first_s, shown_s) <= 0.0:
            raise MelaError(f"scene {scene_id} was shown after {shown_s} s, told after {first_s} s")
        if number >= warm:
            told.first_event.append(first_s)
            told.result_shown.append(shown_s)
    page.context.close()
    return told


def _publish(page: Page, model: str, fast: int) -> tuple[str, float, float]:
    page.goto(f"/scenes/new?from={model}")
    page.get_by_label("fast", exact=True).fill(str(fast))
    page.get_by_label("slow", exact=True).fill(str(SLOW))
    button = page.get_by_role("button", name="Publish")
    expect(button).to_be_enabled()
    button.evaluate(_CLICK)
    scene_id, first_ms, shown_ms = page.evaluate(_TOOK)
    return str(scene_id), first_ms / 1000, shown_ms / 1000


def scene_pages(
    browser: Browser, url: str, user: str, warm: str, scenes: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Return for each scene the seconds until its page has rows, and until another order has.

    warm: a scene that is opened before, so that the browser has the scripts, as it has after a day
    """
    first: list[float] = []
    again: list[float] = []
    page = context_page(browser, url, user)
    _rows(page, warm)
    for scene_id in scenes:
        rows, seconds = _rows(page, scene_id)
        first.append(seconds)
        began: float = page.evaluate("performance.now() / 1000")
        page.get_by_role("button", name="Sort by total return").evaluate("(one) => one.click()")
        again.append(page.evaluate(_ROWS, rows)[1] - began)
    page.context.close()
    return first, again


def _rows(page: Page, scene_id: str) -> tuple[Any, float]:
    page.goto("about:blank")
    page.goto(f"/scenes/{scene_id}", wait_until="commit")
    rows, seconds = page.evaluate(_ROWS, "")
    return rows, float(seconds)
