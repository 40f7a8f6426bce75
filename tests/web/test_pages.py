"""Every page, in both themes, on a screen and on a phone: axe and the browser find nothing."""

from __future__ import annotations

import re
from typing import Any, Literal
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.api.trading import SESSION, traded
from tests.web import judged
from tests.web.asking import ask, finished, grid, publish
from tests.web.conftest import NARROW, WIDE, Shot, Site

pytestmark = pytest.mark.integration
SIZES = {"wide": WIDE, "phone": NARROW}
Scheme = Literal["light", "dark"]
# Each theme and each size is opened once; the opened page then takes on the other theme.
OPENED: dict[str, tuple[Scheme, Scheme]] = {
    "wide": ("light", "dark"),
    "phone": ("dark", "light"),
}
OUTSIDE = ("/sign-in", "/register")
INSIDE = (
    "/scenes",
    "/scenes/new",
    "/strategies",
    "/strategies/sma_cross",
    "/schedules",
    "/trading",
    "/trading/new",
    "/account",
    "/password",
)
DATA_TABS = ("coverage", "quality", "stale", "watch", "backfills")
ADMIN_TABS = ("users", "invitations", "audit", "health")
SESSION_TABS = ("positions", "orders", "fills", "trades", "risk", "drift", "log", "session")
TABS = ("runs", "map", "parallel", "curves", "report", "scene")
TABS_OF = {
    "/trading/": SESSION_TABS,
    "/scenes/": TABS,
    "/data": DATA_TABS,
    "/admin": ADMIN_TABS,
}
WAITING = ".mantine-Skeleton-root, [aria-busy='true'][role='status']"
# Resolves when what fades or moves has come to its end, and the end has been drawn.
STILL = """async () => {
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  await frame();
  await frame();
  const moving = document.getAnimations().filter((one) =>
    one.effect?.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(moving.map((one) => one.finished));
  await frame();
}"""
EXPECTED = re.compile(r"401 \(Unauthorized\).*/api/v1/session$")  # nobody is signed in yet


@pytest.fixture(scope="module")
def asked(site: Any, chrome: Any) -> dict[str, Any]:
    """A search with walk-forward and holdout, which fills every part of its page."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        context = Site(site, chrome, stack).context("ada")
        scene: dict[str, Any] = {
            **grid(5, 10, 20, 30),
            "end": "2023-07-01T00:00:00Z",
            "validation": {"kind": "walk_forward", "train": "60d", "test": "30d"},
            "holdout": {"start": "2023-06-01T00:00:00Z"},
        }
        scene["search"]["space"]["exits.stop_loss"] = [None, 0.05]
        scene_id = publish(context, scene, name="all parts", tags=["look"], note="for the eye")
        found = finished(context, scene_id, timeout_s=120)
        assert found["state"] == "finished"
        runs = ask(context, "GET", f"/scenes/{scene_id}/runs?limit=2")["items"]
        me = ask(context, "POST", "/trading/sessions", {"session": SESSION})["session_id"]
        traded(site, UUID(me), candles=40, state="stopped")
        return {"scene": scene_id, "runs": [run["run_key"] for run in runs], "session": me}


def settled(page: Page, path: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(WAITING)).to_have_count(0)
    if path in OUTSIDE:
        page.wait_for_load_state("networkidle")
    page.evaluate(STILL)


def judge(page: Page, complaints: judged.Complaints, *, only_colours: bool) -> dict[str, Any]:
    """Return what is wrong with a page as it is now, by who says so.

    only_colours: it was judged in the other theme, from which it differs in colours alone
    """
    wrong = {
        "axe": judged.violations(page, only_colours=only_colours),
        "pixels too wide": judged.too_wide(page),
        "console": [line for line in complaints if not EXPECTED.search(line)],
    }
    complaints.clear()
    return {name: found for name, found in wrong.items() if found}


def shown(page: Page, path: str, before: str, scheme: Scheme) -> None:
    """Open a page by its address; a part of a page that is open, by its tab."""
    place, _, tab = path.partition("?tab=")
    if tab and before.partition("?tab=")[0] == place:
        turned(page, path, scheme)
        names = next(names for start, names in TABS_OF.items() if place.startswith(start))
        chosen = page.get_by_role("tab").nth(names.index(tab))
        chosen.click()
        expect(chosen).to_have_attribute("aria-selected", "true")
        expect(page).to_have_url(re.compile(f"{re.escape(path)}$"))
    else:
        page.emulate_media(color_scheme=scheme)
        page.goto(path)
    settled(page, path)


def turned(page: Page, path: str, scheme: Scheme) -> None:
    """Give an opened page the other theme, as a system does at night."""
    page.emulate_media(color_scheme=scheme)
    expect(page.locator(f"html[data-mantine-color-scheme={scheme}]")).to_be_attached()
    settled(page, path)


def name_of(path: str) -> str:
    return re.sub(r"[^a-z-]+", "-", re.sub(r"[0-9a-f-]{30,}", "one", path)).strip("-")[:60]


@pytest.mark.parametrize("size", OPENED)
def test_nothing_is_wrong_with_any_page(
    pages: Site, asked: dict[str, Any], shot: Shot, size: str
) -> None:
    scene = f"/scenes/{asked['scene']}"
    first, second = asked["runs"]
    inside = [
        *INSIDE,
        *(f"/data?tab={tab}" for tab in DATA_TABS),
        *(f"/admin?tab={tab}" for tab in ADMIN_TABS),
        *(f"{scene}?tab={tab}" for tab in TABS),
        f"/runs/{first}",
        *(f"/trading/{asked['session']}?tab={tab}" for tab in SESSION_TABS),
        f"/trading/new?run={first}",
        f"/compare?run={first}&run={second}",
        "/there/is/no/such/page",
    ]
    wrong: dict[str, Any] = {}
    for user, paths in ((None, OUTSIDE), ("ada", inside)):
        page = pages.context(user, size=SIZES[size]).new_page()
        complaints = judged.Complaints()
        complaints.listen(page)
        before = ""
        for path in paths:
            for scheme in OPENED[size]:
                if scheme == OPENED[size][0]:
                    shown(page, path, before, scheme)
                    before = path
                else:
                    turned(page, path, scheme)
                if found := judge(page, complaints, only_colours=scheme == OPENED[size][1]):
                    wrong[f"{path} {scheme}"] = found
                shot(page, f"page-{name_of(path)}-{scheme}-{size}")

    assert wrong == {}


def test_axe_would_find_something(pages: Site) -> None:
    """A judge that never finds anything would pass every page."""
    page = pages.page("ada", "/scenes")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.querySelector('main').innerHTML += '<img src=/nothing.png>'")

    assert "image-alt" in [one["id"] for one in judged.violations(page)]
