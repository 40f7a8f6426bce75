"""The page of a run: its chart follows trades, keys and zooming; its files hold what it shows."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.asking import ask, finished, named, publish
from tests.web.conftest import Shot, Site

pytestmark = pytest.mark.integration
AXIS = 76  # pixels of prices at the right of a chart
# More candles than a screen shows, so that the server reduces them.
LONG: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2022-02-01T00:00:00Z",
    "end": "2023-10-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 12, "slow": 60}},
    "exits": {"stop_loss": 0.03},
}


@pytest.fixture(scope="module")
def run(site: Any, chrome: Any) -> dict[str, Any]:
    """A run of 14,000 candles: its key, and all of it as its file says."""
    with ExitStack() as stack:
        context = Site(site, chrome, stack).context("tom")
        scene_id = publish(context, LONG, name=named("a long run"))
        assert finished(context, scene_id, timeout_s=120)["state"] == "finished"
        key = ask(context, "GET", f"/scenes/{scene_id}/runs")["items"][0]["run_key"]
        trades = ask(context, "GET", f"/runs/{key}/trades?limit=1000")["items"]
        return {"key": key, "trades": trades, "detail": ask(context, "GET", f"/runs/{key}")}


def drawn(page: Page) -> Locator:
    """Wait until a run's chart is on the screen and return it."""
    chart = page.get_by_role("application")
    expect(chart).to_have_attribute("data-drawn", "true", timeout=30_000)
    return chart


def middle_of(page: Page, chart: Locator) -> datetime:
    """Return the instant in the middle of a chart, as its reading says."""
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 60)
    page.mouse.move(box["x"] + (box["width"] - AXIS) / 2, box["y"] + 60)
    said = page.get_by_text(re.compile(r"^\d{4}-\d\d-\d\d( \d\d:\d\d)? UTC$"))
    expect(said).to_be_visible()
    day, _, clock = said.inner_text().removesuffix(" UTC").partition(" ")
    return datetime.fromisoformat(f"{day}T{clock or '00:00'}:00").replace(tzinfo=UTC)


def test_a_run_shows_its_numbers_trades_and_where_they_come_from(
    pages: Site, run: dict[str, Any], shot: Shot
) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    drawn(page)

    expect(page.get_by_role("heading", level=1)).to_have_text("sma_cross on binance:BTCUSDT")
    for title in ("Trades", "Returns by month", "Worst drawdowns", "Daily returns"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name=f"{len(run['trades'])} trades")).to_be_visible()
    expect(page.get_by_text(run["detail"]["lineage"]["strategy_digest"])).to_be_visible()
    for warning in run["detail"]["result"]["warnings"]:
        expect(page.get_by_text(warning["message"][1:])).to_be_visible()
    shot(page, "run")


def test_a_click_on_a_trade_brings_the_chart_there_with_finer_candles(
    pages: Site, run: dict[str, Any], shot: Shot
) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    chart = drawn(page)
    expect(page.get_by_text("each shown candle is 10 of 1h")).to_be_visible()

    page.get_by_role("button", name="Show trade 7 on the chart").click()
    expect(page.get_by_text(f"Trade 7 of {len(run['trades'])}")).to_be_visible()
    expect(page.get_by_text("candles of 1h", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?trade=6$"))
    trade = run["trades"][6]
    entry, exit_ = (datetime.fromisoformat(trade[name]) for name in ("entry_at", "exit_at"))
    apart = abs(middle_of(page, chart) - (entry + (exit_ - entry) / 2))
    assert apart.total_seconds() <= 3 * 3600
    shot(page, "run-trade")

    page.get_by_role("button", name="Trade after").click()
    expect(page.get_by_text(f"Trade 8 of {len(run['trades'])}")).to_be_visible()


def test_a_link_to_a_trade_opens_the_run_there(pages: Site, run: dict[str, Any]) -> None:
    last = len(run["trades"])
    page = pages.page("vera", f"/runs/{run['key']}?trade={last - 1}")
    drawn(page)

    expect(page.get_by_text(f"Trade {last} of {last}")).to_be_visible()
    expect(page.get_by_role("button", name="Trade after")).to_be_disabled()


def test_keys_move_and_zoom_the_chart(pages: Site, run: dict[str, Any]) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    chart = drawn(page)
    before = middle_of(page, chart)

    chart.focus()
    finest = page.get_by_text("candles of 1h", exact=True)
    for _ in range(40):
        if finest.is_visible():
            break
        page.keyboard.press("+")
        page.wait_for_timeout(250)
    expect(finest).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Loading candles")).to_have_count(0)
    assert middle_of(page, chart) > before

    chart.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("each shown candle is 10 of 1h")).to_be_visible()


def test_trades_are_sorted_by_what_they_earned(pages: Site, run: dict[str, Any]) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    drawn(page)
    best = max(run["trades"], key=lambda trade: trade["pnl"])

    page.get_by_role("button", name="Sort by pnl").click()
    first = page.locator("tr[data-row]").first
    expect(first.get_by_role("button")).to_have_text(str(best["seq"] + 1))


def test_the_files_hold_what_the_page_shows(pages: Site, run: dict[str, Any]) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    drawn(page)

    files = []
    for name in ("Trades as CSV", "All of the run as JSON"):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=name).click()
        files.append(download.value.path().read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO(files[0])))
    assert [float(row["profit"]) for row in rows] == [trade["pnl"] for trade in run["trades"]]
    assert len(json.loads(files[1])["trades"]) == len(run["trades"])


def test_a_run_of_a_private_scene_is_as_absent_for_others(pages: Site) -> None:
    owner = pages.context("tom")
    scene = {**LONG, "end": "2022-04-01T00:00:00Z", "cash": 12_345}
    scene_id = publish(owner, scene, name=named("mine alone"), is_private=True)
    assert finished(owner, scene_id)["state"] == "finished"
    key = ask(owner, "GET", f"/scenes/{scene_id}/runs")["items"][0]["run_key"]

    said = []
    for path in (f"/runs/{key}", f"/runs/{'5eed' * 16}"):
        page = pages.page("tina", path)
        said.append(
            page.get_by_role("alert").first.inner_text().replace(path.removeprefix("/runs/"), "")
        )
    assert said[0] == said[1]


def test_paper_shows_every_loaded_trade_and_a_picture_of_the_chart(
    pages: Site, run: dict[str, Any]
) -> None:
    page = pages.page("vera", f"/runs/{run['key']}")
    drawn(page)
    trades = page.get_by_role("region", name=f"{len(run['trades'])} trades")
    loaded = min(len(run["trades"]), 200)
    rows = trades.locator("tr[data-row]")
    expect(rows.first).to_be_visible()
    assert rows.count() < loaded

    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == loaded
    paper = page.get_by_role("application").locator("canvas").first
    assert paper.evaluate("canvas => canvas.style.width") == "100%"

    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert rows.count() < loaded
    assert paper.evaluate("canvas => canvas.style.width") != "100%"
