"""What people manage on pages: tokens, sessions, schedules, the watch list, accounts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.asking import SCENE, ask, finished, named, publish
from tests.web.conftest import Shot, Site

pytestmark = pytest.mark.integration


def test_a_token_is_shown_once_works_and_ends(pages: Site) -> None:
    page = pages.page("tina", "/account")
    name = named("a notebook")
    page.get_by_role("button", name="New token").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make", exact=True).click()
    secret = page.get_by_label("The token", exact=True).inner_text()
    page.get_by_role("button", name="I have kept it").click()
    row = page.get_by_role("row", name=name)
    expect(row).to_be_visible()
    expect(page.get_by_text(secret)).to_have_count(0)

    nobody = pages.context()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert nobody.request.get("/api/v1/scenes", headers=bearer).ok
    row.get_by_role("button", name="Take the token").click()
    expect(row).to_have_count(0)
    assert nobody.request.get("/api/v1/scenes", headers=bearer).status == 401


def test_a_session_ends_from_another_browser(pages: Site) -> None:
    elsewhere = pages.page("tina", "/strategies")
    expect(elsewhere.get_by_role("heading", level=1)).to_be_visible()
    page = pages.page("tina", "/account")
    theirs = page.get_by_role("button", name="Sign out", exact=True)
    expect(theirs.first).to_be_visible()
    while theirs.count() > 0:
        before = theirs.count()
        theirs.first.click()
        expect(theirs).to_have_count(before - 1)

    elsewhere.goto("/data")
    expect(elsewhere).to_have_url(re.compile(r"/sign-in\?next="))
    expect(page.get_by_text("this one")).to_be_visible()


def test_a_schedule_is_added_paused_and_removed(pages: Site, shot: Shot) -> None:
    context = pages.context("tom")
    scene_name, name = named("comes again"), named("weekly")
    finished(context, publish(context, SCENE, name=scene_name))
    page = context.new_page()
    page.goto("/schedules")
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_role("combobox", name="Scene").click()
    page.get_by_role("option", name=re.compile(scene_name)).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Span").fill("4w")
    page.get_by_role("button", name="Add", exact=True).click()

    row = page.get_by_role("row", name=name)
    expect(row).to_contain_text("sma_cross on binance:BTCUSDT")
    shot(page, "schedules")
    row.get_by_role("switch", name="is active").click(force=True)
    expect(row).to_contain_text("paused")
    private = row.get_by_role("switch", name="is private")
    expect(private).not_to_be_checked()
    private.click(force=True)
    expect(private).to_be_checked()
    row.get_by_role("button", name=f"Remove {name}").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)


def test_a_wrong_span_is_told_beside_its_field(pages: Site) -> None:
    context = pages.context("tom")
    scene_name = named("spans")
    finished(context, publish(context, SCENE, name=scene_name))
    page = context.new_page()
    page.goto("/schedules")
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_role("combobox", name="Scene").click()
    page.get_by_role("option", name=re.compile(scene_name)).click()
    page.get_by_label("Name").fill(named("wrong"))
    page.get_by_label("Span").fill("soon")
    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("soon")


def test_the_watch_list_is_edited(pages: Site) -> None:
    page = pages.page("tom", "/data?tab=watch")
    page.get_by_role("combobox", name="Instrument").fill("binance:BTCUSDT")
    page.get_by_role("combobox", name="Interval").click()
    page.get_by_role("option", name="1d", exact=True).click()
    page.get_by_role("button", name="Add", exact=True).click()

    gone = page.get_by_role("button", name="Take binance:BTCUSDT 1d from the list")
    expect(gone).to_be_visible()
    gone.click()
    expect(gone).to_have_count(0)
    listed = ask(pages.context("tom"), "GET", "/watchlist")["items"]
    assert {"instrument": "binance:BTCUSDT", "interval": "1d"} not in listed


@pytest.mark.timeout(300)
def test_a_backfill_is_asked_for_and_followed_to_its_end(pages: Site, shot: Shot) -> None:
    """The real Airflow loads the candles, from the replay of the platform."""
    page = pages.page("tom", "/data?tab=backfills")
    page.get_by_role("button", name="Load candles…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Instrument").fill("binance:BTCUSDT")
    page.keyboard.press("Escape")  # the list of instruments, not the dialog
    dialog.get_by_label("From (UTC)").fill("2022-01-11")
    dialog.get_by_label("To, not included").fill("2022-01-10")
    expect(dialog.get_by_text("It must be after the first day")).to_be_visible()
    dialog.get_by_label("To, not included").fill("2022-01-13")
    dialog.get_by_role("button", name="Load", exact=True).click()

    expect(dialog).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="2022-01-11").filter(has_text="2022-01-13")
    expect(row).to_contain_text("binance:BTCUSDT 1h")
    expect(row).to_contain_text(re.compile("queued|running|done"))
    shot(page, "backfill-running")
    expect(row).to_contain_text("done", timeout=240_000)
    page.goto("/data?instrument=binance:BTCUSDT&interval=1h")
    expect(page.get_by_role("heading", name="binance:BTCUSDT 1h")).to_be_visible()


def test_coverage_shows_days_and_gaps_of_a_series(pages: Site, shot: Shot) -> None:
    page = pages.page("vera", "/data?instrument=binance:BTCUSDT&interval=1h")
    expect(page.get_by_role("heading", name="binance:BTCUSDT 1h")).to_be_visible()
    expect(
        page.get_by_role("img", name=re.compile("^Calendar of binance:BTCUSDT 1h"))
    ).to_be_visible()
    shot(page, "coverage")


def test_an_administrator_sets_a_quota_and_finds_it_in_the_audit_log(pages: Site) -> None:
    page = pages.page("ada", "/admin")
    page.get_by_role("button", name="Change tina").click()
    page.get_by_label("Runs a day").fill("54321")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("row", name="tina")).to_contain_text("54,321")

    page.get_by_role("tab", name="Audit log").click()
    page.get_by_role("textbox", name="User").fill("ada")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("54321").first).to_be_visible()

    page.get_by_role("tab", name="Users").click()
    page.get_by_role("button", name="Change tina").click()
    page.get_by_label("Runs a day").fill("")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("row", name="tina")).not_to_contain_text("54,321")


def test_an_administrator_limits_who_publishes_through_kafka(pages: Site) -> None:
    page = pages.page("ada", "/admin")
    row = page.get_by_role("row").filter(has_text="kafka")
    expect(row).to_contain_text("default")
    for runs, shown in (("900000", "900,000"), ("", "default")):
        page.get_by_role("button", name="Change the quota of kafka").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Runs a day").fill(runs)
        form.get_by_role("button", name="Change", exact=True).click()
        expect(form).to_have_count(0)
        expect(row.get_by_role("cell").first).to_have_text(shown)


def test_an_invitation_is_a_link_that_is_shown_once(pages: Site) -> None:
    page = pages.page("ada", "/admin?tab=invitations")
    note = named("for grace")
    page.get_by_role("button", name="Invite somebody").click()
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The link", exact=True).inner_text()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name=note)
    expect(row).to_contain_text("open")
    expect(page.get_by_text(link)).to_have_count(0)

    row.get_by_role("button").click()
    expect(row).to_have_count(0)


def _controls(page: Page) -> list[str]:
    return [name for name in page.get_by_role("button").all_inner_texts() if name]


def test_a_viewer_sees_no_control_that_would_be_refused(pages: Site) -> None:
    page = pages.page("vera", "/schedules")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "Add a schedule" not in _controls(page)
    page.goto("/data?tab=watch")
    expect(page.get_by_role("heading", name="Watch list")).to_be_visible()
    assert "Add" not in _controls(page)
    page.goto("/admin")
    expect(page.get_by_text("Only administrators see this page")).to_be_visible()
