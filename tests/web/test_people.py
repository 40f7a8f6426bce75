"""Two people at once: what each sees of the other's scenes, as it happens."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from services.accounts import accounts, passwords
from tests.web.asking import SCENE, ask, finished, grid, named, publish
from tests.web.conftest import Site
from tests.web.test_way import sign_in
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def test_a_scene_of_one_appears_and_finishes_on_the_other_ones_screen(pages: Site) -> None:
    tina = pages.page("tina", "/scenes")
    expect(tina.locator('[data-stream="open"]')).to_be_visible()
    tom = pages.context("tom")
    name = named("seen by both")
    publish(tom, grid(5, 10), name=name)

    row = tina.locator("tr[data-row]", has_text=name)
    expect(row).to_be_visible()
    expect(row).to_contain_text("finished", timeout=60_000)


def test_what_is_private_is_seen_by_its_owner_only_until_it_is_shared(pages: Site) -> None:
    tom, name = pages.context("tom"), named("my own business")
    scene_id = publish(tom, SCENE, name=name, is_private=True)
    finished(tom, scene_id)
    mine = tom.new_page()
    mine.goto("/scenes")
    expect(mine.locator("tr[data-row]", has_text=name)).to_be_visible()

    tina = pages.page("tina", "/scenes")
    expect(tina.locator("tr[data-row]").first).to_be_visible()
    expect(tina.get_by_text(name)).to_have_count(0)
    tina.goto(f"/scenes/{scene_id}")
    expect(tina.get_by_role("alert")).to_be_visible()
    expect(tina.get_by_text(name)).to_have_count(0)

    ask(tom, "PATCH", f"/scenes/{scene_id}", {"is_private": False})
    tina.reload()
    expect(tina.get_by_role("heading", name=name)).to_be_visible()
    expect(tina.get_by_role("button", name="More")).to_be_visible()
    tina.get_by_role("button", name="More").click()
    expect(tina.get_by_role("menuitem", name="Name, note, tags")).to_have_count(0)


def test_a_scene_is_named_noted_and_tagged_on_its_page(pages: Site) -> None:
    tom, tag = pages.context("tom"), named("doubtful")
    scene_id = publish(tom, SCENE)
    finished(tom, scene_id)
    page = tom.new_page()
    page.goto(f"/scenes/{scene_id}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Name, note, tags").click()
    page.get_by_label("Name", exact=True).fill("a better name")
    page.get_by_role("textbox", name="Note").fill("too good to be true")
    page.get_by_role("combobox", name="Tags").fill(tag)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="a better name")).to_be_visible()
    expect(page.get_by_text("too good to be true")).to_be_visible()
    page.get_by_role("link", name=tag).click()
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_a_scene_is_cancelled_on_its_page(pages: Site) -> None:
    tom = pages.context("tom")
    large = {
        **SCENE,
        "end": "2024-01-01T00:00:00Z",
        "search": {
            "space": {
                "strategy.params.fast": {"from": 2, "to": 59, "step": 1},
                "exits.stop_loss": {"from": 0.001, "to": 0.5, "step": 0.001},
            }
        },
    }
    scene_id = publish(tom, large, name="far too large")
    page = tom.new_page()
    page.goto(f"/scenes/{scene_id}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the scene").click()

    expect(page.locator('[data-scene-state="cancelled"]')).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("menuitem", name="Ask again")).to_be_visible()


def test_somebody_who_is_invited_makes_an_account_and_is_in(pages: Site) -> None:
    ada = pages.context("ada")
    made = ask(ada, "POST", "/invitations", {"role": "trader"})
    page = pages.page(path=f"/register#{made['link'].partition('#')[2]}")
    expect(page.get_by_text("You are invited as a trader.")).to_be_visible()
    page.get_by_label("User").fill(f"new-{uuid4().hex[:8]}")
    page.get_by_label("New password", exact=True).fill("a long sentence of mine")
    page.get_by_label("The same again", exact=True).fill("a long sentence of yours")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("The same again", exact=True).fill("a long sentence of mine")
    page.get_by_role("button", name="Make the account").click()

    expect(page.get_by_role("heading", name="Scenes")).to_be_visible()
    expect(page.get_by_role("link", name="New scene").first).to_be_visible()

    again = pages.page(path=f"/register#{made['link'].partition('#')[2]}")
    expect(again.get_by_role("alert")).to_be_visible()


def test_a_first_password_must_be_changed_before_anything_else(pages: Site) -> None:
    name = f"first-{uuid4().hex[:8]}"
    with transaction(pages.settings) as connection:
        known = passwords.hashed("made at random")
        accounts.stored_new(
            connection, name, accounts.Role.TRADER, known, must_change_password=True
        )
    page = pages.page(path="/scenes")
    sign_in(page, name, "made at random")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.goto("/scenes")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.get_by_label("Password so far").fill("made at random")
    for label in ("New password", "The same again"):
        page.get_by_label(label, exact=True).fill("a long sentence of mine")
    page.get_by_role("button", name="Change the password").click()

    expect(page.get_by_role("heading", name="Scenes")).to_be_visible()
