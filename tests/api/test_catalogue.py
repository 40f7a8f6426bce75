"""What can be asked, and what there is of candles, through the API."""

from __future__ import annotations

from datetime import date

import pytest

from backtests.strategies import CATALOGUE
from mela.metrics import DEFINITIONS, METRICS
from services.runs import stale_pages
from tests.api.lived_in import Team
from tests.warehouse.lived import AAPL, ASKED, BTC, ETH, restate

pytestmark = pytest.mark.integration


def test_the_catalogue_lists_each_strategy_with_its_record(team: Team) -> None:
    found = {one["name"]: one for one in team.viewer.get("/strategies").json()["items"]}

    assert found.keys() == {*CATALOGUE, "forecast"}
    assert found["sma_cross"]["params"] == ["fast", "slow"]
    assert found["sma_cross"]["scenes"] == 3
    assert found["rsi_reversion"]["scenes"] == 0  # its only scene is another's private one
    owner = {one["name"]: one for one in team.trader.get("/strategies").json()["items"]}
    assert owner["rsi_reversion"]["scenes"] == 1


def test_a_strategy_is_shown_with_its_schema_and_source(team: Team) -> None:
    found = team.viewer.get("/strategies/sma_cross").json()

    assert found["schema"]["properties"]["fast"]["type"] == "integer"
    assert found["schema"]["properties"]["fast"]["minimum"] == 1
    assert found["defaults"] == {"fast": 10, "slow": 30}
    assert "def sma_cross(" in found["source"]
    assert found["check"]["verdict"] == "not_verified"
    assert {one["scene_id"] for one in found["record"]} == {
        team.scene(name) for name in ("grid", "again", "portfolio")
    }
    assert (
        team.viewer.get("/strategies/sma_crss")
        .json()["detail"]
        .endswith("did you mean sma_cross or ema_cross?")
        or "sma_cross" in team.viewer.get("/strategies/sma_crss").json()["detail"]
    )


def test_every_metric_has_its_definition(team: Team) -> None:
    items = team.viewer.get("/metrics").json()["items"]

    assert [one["name"] for one in items] == list(METRICS)
    assert items[4]["definition"] == DEFINITIONS["sharpe"].meaning


def test_the_schema_of_a_scene_is_that_which_is_published(team: Team) -> None:
    schema = team.viewer.get("/schemas/scene").json()["schema"]

    assert schema["required"] == ["instruments", "interval", "start", "end", "strategy"]


def test_instruments_are_found_by_a_part_of_their_name(team: Team) -> None:
    found = team.viewer.get("/instruments", params={"text": "usdt"}).json()

    assert [one["name"] for one in found["items"]] == [BTC, ETH]
    assert found["items"][0]["intervals"] == ["1h"]
    assert team.viewer.get("/instruments", params={"text": "%"}).json()["items"] == []
    cut = team.viewer.get("/instruments", params={"limit": 1}).json()
    assert (len(cut["items"]), cut["is_cut"]) == (1, True)


def test_series_are_listed_with_their_span(team: Team) -> None:
    items = {one["instrument"]: one for one in team.viewer.get("/series").json()["items"]}

    assert items.keys() == {BTC, ETH, AAPL}
    assert items[BTC]["first_opened_at"] == "2022-12-20T00:00:00Z"
    assert items[BTC]["last_opened_at"] == "2023-02-28T23:00:00Z"
    assert items[BTC]["is_watched"] is False


def test_coverage_counts_each_day(team: Team) -> None:
    asked = {"instrument": BTC, "interval": "1h"}

    found = team.viewer.get("/coverage", params=asked).json()

    assert (found["stored"], found["expected"]) == (71 * 24, 71 * 24)
    assert len(found["days"]) == 71
    assert {(one["stored"], one["expected"]) for one in found["days"]} == {(24, 24)}
    assert found["gaps"] == []
    wider = team.viewer.get(
        "/coverage",
        params=asked | {"start": "2022-12-19T00:00:00Z", "end": "2023-03-02T00:00:00Z"},
    ).json()
    assert [(one["start"][:10], one["candles"]) for one in wider["gaps"]] == [
        ("2022-12-19", 24),
        ("2023-03-01", 24),
    ]
    stocks = team.viewer.get("/coverage", params={"instrument": AAPL, "interval": "1d"}).json()
    assert stocks["stored"] == stocks["expected"]
    assert all(date.fromisoformat(one["day"]).weekday() < 5 for one in stocks["days"])
    absent = team.viewer.get("/coverage", params={"instrument": "binance:NO", "interval": "1h"})
    assert absent.status_code == 404


def test_the_watch_list_is_replaced_as_a_whole_or_not_at_all(team: Team) -> None:
    hours = [{"instrument": name, "interval": "1h"} for name in (BTC, ETH)]

    assert team.viewer.put("/watchlist", json={"items": hours}).status_code == 403
    assert team.trader.put("/watchlist", json={"items": hours}).json()["items"] == hours
    unknown = [hours[1], {"instrument": "binance:NOPE", "interval": "1h"}]
    refused = team.trader.put("/watchlist", json={"items": unknown})
    assert (refused.status_code, refused.json()["field"]) == (422, "items")
    assert team.viewer.get("/watchlist").json()["items"] == hours
    assert team.trader.put("/watchlist", json={"items": hours[1:]}).json()["items"] == hours[1:]
    assert len(team.viewer.get("/watchlist").json()["defaults"]) == 4


def test_a_schedule_is_added_paused_and_removed_by_its_owner(team: Team) -> None:
    asked = {"name": "each day / btc", "scene": ASKED, "span": "90d"}
    path = "/schedules/each day / btc"

    assert team.viewer.post("/schedules", json=asked).status_code == 403
    added = team.trader.post("/schedules", json=asked)
    assert (added.status_code, added.json()["owner"]) == (201, "trader")
    assert team.trader.post("/schedules", json=asked).status_code == 422  # the name is taken
    assert team.other.patch(path, json={"is_active": False}).json()["code"] == "not_yours"
    assert team.admin.patch(path, json={"is_active": False}).json()["is_active"] is False
    assert [one["name"] for one in team.viewer.get("/schedules").json()["items"]] == [asked["name"]]
    assert team.other.delete(path).status_code == 403
    assert team.trader.delete(path).status_code == 204
    assert team.trader.delete(path).status_code == 404


def test_a_schedule_with_a_wrong_span_is_refused(team: Team) -> None:
    asked = {"name": "wrong", "scene": ASKED, "span": "soon"}

    assert "90d" in team.trader.post("/schedules", json=asked).json()["detail"]


def test_quality_lists_what_checks_have_found(team: Team) -> None:
    from services.candles.quality import check_candles

    check_candles(team.settings, instruments=[AAPL])

    found = team.viewer.get("/quality", params={"instrument": AAPL}).json()

    assert [one["instrument"] for one in found["checks"]] == [AAPL]
    assert {one["instrument"] for one in found["findings"]} <= {AAPL}
    assert all(one["message"] for one in found["findings"])


def test_a_backfill_says_so_where_airflow_is_away(team: Team) -> None:
    asked = {
        "series": [{"instrument": BTC, "interval": "1h"}],
        "start": "2023-01-01T00:00:00Z",
        "end": "2023-02-01T00:00:00Z",
    }

    away = team.trader.post("/backfills", json=asked)
    assert (away.status_code, away.json()["code"]) == (503, "unavailable")
    backwards = team.trader.post("/backfills", json=asked | {"end": "2022-01-01T00:00:00Z"})
    assert (backwards.status_code, backwards.json()["field"]) == (422, "end")
    assert team.viewer.post("/backfills", json=asked).status_code == 403


def test_what_a_restated_candle_spoils_is_listed_for_those_who_may_see_its_scenes(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of this file: the candles of the team differ afterwards."""
    monkeypatch.setattr(stale_pages, "_kept", {})
    monkeypatch.setattr(stale_pages, "KEPT_S", 0.0)
    assert team.trader.get("/stale").json() == {"total": 0, "results": [], "scenes": []}

    restate(team.settings, close=18_000.0)

    spoilt = [team.scene(name) for name in ("grid", "again", "portfolio")]
    found = team.other.get("/stale").json()
    assert found["total"] == len(found["results"]) > 6
    assert {reason for one in found["results"] for reason in one["reasons"]} == {
        "candles that it read have changed since"
    }
    scenes = {one["scene_id"]: one for one in found["scenes"]}
    assert set(spoilt) <= scenes.keys()
    grid = scenes[spoilt[0]]
    assert (grid["strategies"], grid["instruments"]) == (["sma_cross"], [BTC])
    assert (grid["owner"], grid["results"], grid["can_rerun"]) == ("trader", 6, True)

    for scene_id in scenes:
        changed = team.trader.patch(f"/scenes/{scene_id}", json={"is_private": True})
        assert changed.status_code == 200, changed.text
    assert team.other.get("/stale").json() == {"total": 0, "results": [], "scenes": []}
    assert len(team.trader.get("/stale").json()["scenes"]) == len(scenes)
