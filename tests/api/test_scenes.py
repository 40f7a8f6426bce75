"""Scenes through the API: lists, one, what is private, changes, dry runs."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.lived_in import Team
from tests.warehouse.lived import ASKED, BTC

pytestmark = pytest.mark.integration


def test_pages_show_each_scene_once_the_newest_first(team: Team) -> None:
    whole = team.trader.get("/scenes", params={"limit": 200}).json()["items"]
    paged: list[str] = []
    cursor = None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = team.trader.get("/scenes", params=asked).json()
        paged += [one["scene_id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert paged == [one["scene_id"] for one in whole]
    received = [one["received_at"] for one in whole]
    assert received == sorted(received, reverse=True)
    assert len(set(paged)) == len(paged) == 5  # four that were planned, one that was rejected


def test_a_row_says_what_was_asked_and_how_far_it_is(team: Team) -> None:
    items = team.trader.get("/scenes", params={"text": team.scene("grid")[:13]}).json()["items"]
    row = next(one for one in items if one["scene_id"] == team.scene("grid"))

    assert row["state"] == "finished"
    assert (row["runs"], row["recorded"], row["cached"], row["failed"]) == (6, 6, 0, 0)
    assert row["strategies"] == ["sma_cross"]
    assert row["instruments"] == [BTC]
    best = max(one["metrics"]["sharpe"] for one in team.runs("grid"))
    assert row["best"] == row["best_metrics"]["sharpe"] == best
    assert row["owner"] == "trader"
    assert row["is_mine"] is True


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"strategy": "rsi_reversion"}, {"stocks"}),
        ({"instrument": "yahoo:AAPL"}, {"stocks"}),
        ({"interval": "1d"}, {"stocks"}),
        ({"tag": "secret"}, {"stocks"}),
        ({"state": "finished", "strategy": "sma_cross"}, {"grid", "again", "portfolio"}),
        ({"text": "the same again"}, {"again"}),
        ({"start": "2023-03-01T00:00:00Z"}, set[str]()),
        ({"end": "2021-01-01T00:00:00Z"}, {"stocks"}),
        ({"owner": "nobody else"}, set[str]()),
        ({"text": "100%"}, set[str]()),
    ],
)
def test_a_filter_keeps_what_fits(
    team: Team,
    asked: dict[str, str],
    found: set[str],
) -> None:
    items = team.trader.get("/scenes", params=asked).json()["items"]

    assert {one["scene_id"] for one in items} == {team.scene(name) for name in found}


def test_a_rejected_scene_says_why(team: Team) -> None:
    [row] = team.trader.get("/scenes", params={"state": "rejected"}).json()["items"]

    assert row["rejection"] == {
        "code": "invalid_field",
        "field": "cash",
        "message": "expected more than 0",
    }


def test_what_is_private_answers_others_as_if_it_were_not_there(team: Team) -> None:
    private, unknown = team.scene("stocks"), str(uuid4())

    for caller in (team.other, team.viewer, team.admin):
        assert private not in caller.get("/scenes", params={"limit": 200}).text
        for path in ("", "/runs", "/report", "/curves", "/runs.csv", "/heatmap?x=instrument"):
            hidden = caller.get(f"/scenes/{private}{path}")
            absent = caller.get(f"/scenes/{unknown}{path}")
            assert hidden.status_code == absent.status_code == 404
            assert hidden.json()["detail"].replace(private, "?") == absent.json()["detail"].replace(
                unknown, "?"
            )
    assert team.trader.get(f"/scenes/{private}").json()["is_private"] is True


def test_only_the_owner_changes_what_is_said_of_a_scene(team: Team) -> None:
    path = f"/scenes/{team.scene('again')}"

    assert team.other.patch(path, json={"note": "mine now"}).json()["code"] == "not_yours"
    assert team.viewer.patch(path, json={"note": "mine now"}).status_code == 403
    changed = team.trader.patch(path, json={"note": "see Monday", "tags": ["btc", "again"]}).json()

    assert (changed["note"], changed["tags"]) == ("see Monday", ["btc", "again"])
    kept = team.trader.patch(path, json={"name": "another name"}).json()
    assert (kept["note"], kept["name"]) == ("see Monday", "another name")
    team.trader.patch(path, json={"name": "the same again"})


def test_a_scene_that_is_known_is_not_sent_again(team: Team) -> None:
    path = f"/scenes/{team.scene('grid')}"
    first = team.trader.get(path)

    again = team.trader.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    other = team.other.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200  # `is_mine` differs
    team.trader.patch(path, json={"note": "seen"})
    changed = team.trader.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.json()["note"] == "seen"


def test_a_scene_names_what_varies_in_it(team: Team) -> None:
    found = team.trader.get(f"/scenes/{team.scene('grid')}").json()

    assert {one["path"]: one["values"] for one in found["varied"]} == {
        "strategy.params.fast": [5, 10, 20],
        "exits.stop_loss": [None, 0.03],
    }
    assert found["statuses"] == [{"status": "succeeded", "runs": 6}]
    parsed = team.trader.post("/scenes/parse", json={"yaml": found["yaml"]}).json()
    assert parsed["faults"] == []
    assert parsed["scene"]["search"] == found["scene"]["search"]


def test_a_dry_run_counts_runs_and_finds_those_that_are_stored(team: Team) -> None:
    search = {"kind": "grid", "space": {"strategy.params.fast": [10, 11, 80]}}

    found = team.viewer.post("/scenes/validate", json={"scene": {**ASKED, "search": search}}).json()

    assert found["is_valid"] is True
    assert (found["runs"], found["skipped"], found["stored_runs"]) == (2, 1, 1)
    assert found["missing_candles"] == []
    assert "1 combination of 3" in found["warnings"][0]
    assert "sma_cross" in found["yaml"]


def test_a_dry_run_names_each_fault_with_its_field(team: Team) -> None:
    wrong = {**ASKED, "intervall": "1h", "strategy": {"name": "smacross"}, "cash": -1}

    found = team.trader.post("/scenes/validate", json={"scene": wrong}).json()

    assert found["is_valid"] is False
    assert {one["field"] for one in found["faults"]} == {"intervall", "strategy.name", "cash"}


def test_a_dry_run_says_which_candles_are_missing(team: Team) -> None:
    found = team.trader.post(
        "/scenes/validate", json={"scene": {**ASKED, "end": "2023-04-01T00:00:00Z"}}
    ).json()

    [gap] = found["missing_candles"]
    assert (gap["instrument"], gap["start"]) == (BTC, "2023-03-01T00:00:00Z")


@pytest.mark.parametrize("yaml", ["a: [1", "- 1", "just words", "a: 1\na: 2"])
def test_yaml_that_is_no_scene_is_a_fault_not_an_error(team: Team, yaml: str) -> None:
    found = team.trader.post("/scenes/parse", json={"yaml": yaml})

    assert found.status_code == 200
    assert found.json()["scene"] is None
    assert found.json()["faults"][0]["code"] == "not_json"


def test_a_cursor_of_somebody_is_refused_in_words(team: Team) -> None:
    found = team.trader.get("/scenes", params={"cursor": "AAAA"})

    assert (found.status_code, found.json()["field"]) == (422, "cursor")
