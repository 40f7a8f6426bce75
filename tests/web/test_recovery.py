"""A service is killed while a page is open and a scene is on its way."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Error, expect

from tests.storm.faults import kill
from tests.web.asking import SCENE, ask, grid, named
from tests.web.conftest import Site
from tests.web.test_stream import live

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
RECOVERY_S = 90  # two cores, and everything of the stack on them


@pytest.mark.parametrize("service", ["api", "kafka", "postgres"])
def test_a_scene_is_there_once_and_an_open_page_shows_it_though_a_service_is_killed(
    pages: Site, service: str
) -> None:
    page = pages.page("tina", "/scenes")
    live(page)
    trader, name = pages.context("tom"), named(f"{service} was killed")
    csrf = trader.request.get("/api/v1/session").json()["csrf_token"]
    key = str(uuid4())

    assert publish_once(trader, csrf, key, f"before {name}", grid(*range(2, 42))).status == 202
    assert kill(service, pages.settings)
    key = str(uuid4())
    asked = patiently(trader, csrf, key, name)
    again = patiently(trader, csrf, key, name)

    assert asked.json()["scene_id"] == again.json()["scene_id"]
    for one in (name, f"before {name}"):
        row = page.locator("tr[data-row]").filter(has=page.get_by_text(one, exact=True))
        expect(row).to_contain_text("finished", timeout=RECOVERY_S * 1_000)
        expect(row).to_have_count(1)
    live(page)
    found = ask(trader, "GET", f"/scenes?text={name.replace(' ', '%20')}")["items"]
    assert sorted(one["name"] for one in found) == sorted([name, f"before {name}"])
    assert all(one["recorded"] == one["runs"] for one in found)


def publish_once(
    context: BrowserContext, csrf: str, key: str, name: str, scene: dict[str, object]
) -> APIResponse:
    return context.request.post(
        "/api/v1/scenes",
        headers={"X-CSRF-Token": csrf, "Idempotency-Key": key},
        data={"scene": scene, "name": name},
        timeout=30_000,
    )


def patiently(context: BrowserContext, csrf: str, key: str, name: str) -> APIResponse:
    """Publish until the answer is there, as a program does that lost one."""
    until = time.monotonic() + RECOVERY_S
    while True:
        try:
            answer = publish_once(context, csrf, key, name, SCENE)
        except Error as error:
            said = str(error)
        else:
            if answer.status == 202:
                return answer
            said = f"{answer.status} {answer.text()}"
            assert answer.status >= 500, said
        assert time.monotonic() < until, said
        time.sleep(0.5)
