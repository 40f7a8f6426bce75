"""One run through the API: its page, its series for a screen, its trades, its file."""

from __future__ import annotations

import csv
import io
import itertools
import math
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from mela.candles import Candles
from mela.interval import Interval
from mela.metrics import METRICS
from services.runs import run_trades
from services.runs.run_detail import run_head
from services.runs.run_series import candles_of, merged, whole_equity
from tests.api.lived_in import Team
from tests.api.runs import caller, documents, with_curve
from tests.warehouse.lived import BTC, ETH
from warehouse.database import transaction
from warehouse.results import curves

pytestmark = pytest.mark.integration


def test_a_run_is_shown_as_it_is_stored_with_where_it_comes_from(team: Team) -> None:
    [stored, *_] = documents(team, "grid")

    found = team.trader.get(f"/runs/{stored['run_key']}").json()

    assert found["result"]["metrics"] == {name: stored[name] for name in METRICS}
    assert found["lineage"]["result_key"] == stored["result_key"]
    assert found["lineage"]["is_sealed"] is True
    traced = team.trader.get(f"/runs/{stored['run_key']}/lineage").json()
    [series] = traced["series"]
    assert series["instrument"] == BTC
    assert sum(load["candles"] for load in series["loads"]) >= stored["candles"]
    assert found["is_stale"] is False
    assert {one["scene_id"] for one in found["scenes"]} == {team.scene("grid"), team.scene("again")}
    assert {one["rank"] for one in found["scenes"]} == {1}


def test_a_run_of_a_private_scene_is_absent_for_others(team: Team) -> None:
    hidden, absent = team.runs("stocks")[0]["run_key"], "0" * 64

    for one in (team.other, team.viewer, team.admin):
        for path in ("", "/candles", "/equity", "/trades", "/trades/marks", "/analysis"):
            answers = [one.get(f"/runs/{key}{path}") for key in (hidden, absent)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].json()["detail"].replace(hidden, "?") == answers[1].json()[
                "detail"
            ].replace(absent, "?")
        for path in ("export.json", "trades.csv"):
            assert one.get(f"/runs/{hidden}/{path}").status_code == 404
    assert team.trader.get(f"/runs/{hidden}").status_code == 200


def test_candles_are_reduced_with_their_extremes_kept(team: Team) -> None:
    run_key = with_curve(team, "grid")
    whole = candles_of(team.settings, run_head(team.settings, caller(team), run_key), BTC)

    found = team.trader.get(f"/runs/{run_key}/candles", params={"points": 100}).json()

    shown = found["candles"]
    assert found["total"] == len(whole) == 59 * 24
    assert found["is_reduced"] is True
    assert len(shown["t"]) == math.ceil(len(whole) / found["candles_per_point"]) <= 100
    assert max(shown["h"]) == whole.high.max()
    assert min(shown["l"]) == whole.low.min()
    assert (shown["o"][0], shown["c"][-1]) == (whole.open[0], whole.close[-1])
    assert sum(shown["v"]) == pytest.approx(whole.volume.sum())
    assert shown["t"][0] == whole.opened_ms[0]


def test_a_part_of_the_candles_is_merged_at_the_same_places(team: Team) -> None:
    """A chart that is moved shows no other candles for the same hours."""
    run_key = with_curve(team, "grid")
    path = f"/runs/{run_key}/candles"

    one = team.trader.get(path, params={"points": 50, "start": "2023-01-10T01:00:00Z"}).json()
    other = team.trader.get(path, params={"points": 50, "start": "2023-01-10T05:00:00Z"}).json()

    assert one["candles_per_point"] == other["candles_per_point"]
    assert set(other["candles"]["t"]) <= set(one["candles"]["t"])
    near = team.trader.get(
        path, params={"start": "2023-01-10T00:00:00Z", "end": "2023-01-11T00:00:00Z"}
    ).json()
    assert (near["is_reduced"], near["total"]) == (False, 24)


def test_candles_merge_by_hand() -> None:
    column = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    hours = np.arange(5, dtype=np.int64) * 3_600_000
    candles = Candles(Interval.H1, hours, column, column + 1, column / 2, column, column)

    found = {name: one.tolist() for name, one in merged(candles, 0, 5, 2).items()}

    assert found == {
        "t": [0, 7_200_000, 14_400_000],
        "o": [1.0, 3.0, 5.0],
        "h": [3.0, 5.0, 6.0],
        "l": [0.5, 1.5, 2.5],
        "c": [2.0, 4.0, 5.0],
        "v": [3.0, 7.0, 5.0],
    }


def test_equity_is_reduced_with_its_extremes_kept(team: Team) -> None:
    run_key = with_curve(team, "grid")
    head = run_head(team.settings, caller(team), run_key)
    with transaction(team.settings) as connection:
        _, stored = curves.equity(connection, head.result_key)

    found = team.trader.get(f"/runs/{run_key}/equity", params={"points": 60}).json()

    assert found["total"] == len(stored)
    assert found["is_reduced"] is True
    assert len(found["t"]) <= 62  # the first and the last come on top
    assert max(found["equity"]) == stored.max()
    assert min(found["equity"]) == stored.min()
    assert found["equity"][-1] == stored[-1] == head.document["final_equity"]
    assert min(found["drawdown"]) == pytest.approx(head.document["max_drawdown"], rel=1e-12)
    assert found["buy_and_hold"][-1] / head.document["cash"] - 1 == pytest.approx(
        head.document["buy_hold_return"]
    )


def test_a_run_without_a_curve_says_how_one_is_made(team: Team) -> None:
    run_key = next(one["run_key"] for one in team.runs("grid") if not one["has_curve"])

    for path in ("equity", "trades", "analysis"):
        found = team.trader.get(f"/runs/{run_key}/{path}").json()
        assert found["has_curve"] is False
        assert "a scene of its own" in found["without_curve"]
    assert team.trader.get(f"/runs/{run_key}/candles").json()["total"] > 0


@pytest.mark.parametrize("sort", ["entry_at", "pnl", "return", "mae", "mfe", "bars", "fees", "seq"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_trades_come_in_pages_of_any_order(team: Team, sort: str, order: str) -> None:
    run_key = with_curve(team, "grid")
    total = team.trader.get(f"/runs/{run_key}").json()["trades"]

    rows: list[dict[str, Any]] = []
    cursor = None
    for _ in itertools.count():
        asked: dict[str, Any] = {"limit": 7, "sort": sort, "order": order}
        page = team.trader.get(
            f"/runs/{run_key}/trades", params=asked | ({"cursor": cursor} if cursor else {})
        ).json()
        rows += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break

    assert len({one["seq"] for one in rows}) == len(rows) == total == page["total"]
    values = [one[sort] for one in rows]
    assert values == sorted(values, reverse=order == "desc")


def test_trades_add_up_to_what_the_run_has_earned(team: Team) -> None:
    run_key = with_curve(team, "grid")
    detail = team.trader.get(f"/runs/{run_key}").json()
    metrics = detail["result"]["metrics"]

    items = team.trader.get(f"/runs/{run_key}/trades", params={"limit": 1000}).json()["items"]

    assert len(items) == metrics["trades"]
    assert sum(one["pnl"] > 0 for one in items) == metrics["winning_trades"]
    held = [one["bars"] for one in items]
    hours = [(at(one["exit_at"]) - at(one["entry_at"])).total_seconds() / 3600 for one in items]
    assert held == hours  # no hour is missing in these candles
    found = team.trader.get(f"/runs/{run_key}/trades", params={"from_seq": 3, "sort": "seq"})
    assert found.json()["items"] == items[3:103]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_of_too_many_marks_the_largest_stay(team: Team) -> None:
    run_key = with_curve(team, "grid")
    items = team.trader.get(f"/runs/{run_key}/trades", params={"limit": 1000}).json()["items"]

    whole = team.trader.get(f"/runs/{run_key}/trades/marks").json()
    assert (whole["is_thinned"], whole["seq"]) == (False, [one["seq"] for one in items])

    few = run_trades.marks(team.settings, caller(team), run_key, points=5)
    largest = sorted(items, key=lambda one: -abs(one["pnl"]))[:5]
    assert [one.seq for one in few.trades] == sorted(one["seq"] for one in largest)
    assert few.total == len(items)


def test_the_parts_of_a_run_agree_with_its_metrics(team: Team) -> None:
    run_key = with_curve(team, "grid")
    metrics = team.trader.get(f"/runs/{run_key}").json()["result"]["metrics"]

    found = team.trader.get(f"/runs/{run_key}/analysis").json()

    grown = math.prod(1 + one["value"] for one in found["monthly_returns"])
    assert grown - 1 == pytest.approx(metrics["total_return"])
    assert found["worst_drawdowns"][0]["depth"] == pytest.approx(metrics["max_drawdown"])
    depths = [one["depth"] for one in found["worst_drawdowns"]]
    assert depths == sorted(depths)
    for part in ("by_reason", "by_side", "by_month", "by_weekday", "by_hour"):
        assert sum(one["trades"] for one in found[part]) == metrics["trades"]
        assert sum(one["wins"] for one in found[part]) == metrics["winning_trades"]
    assert sum(found["return_distribution"]["counts"]) == 59
    assert len(found["return_distribution"]["edges"]) == 1 + len(
        found["return_distribution"]["counts"]
    )


def test_a_run_of_several_instruments_shows_each_of_them(team: Team) -> None:
    run_key = team.runs("portfolio")[0]["run_key"]

    first = team.trader.get(f"/runs/{run_key}/candles").json()
    second = team.trader.get(f"/runs/{run_key}/candles", params={"instrument": ETH}).json()
    wrong = team.trader.get(f"/runs/{run_key}/candles", params={"instrument": "yahoo:AAPL"})

    assert (first["instrument"], second["instrument"]) == (BTC, ETH)
    assert wrong.json()["field"] == "instrument"
    trades = team.trader.get(f"/runs/{run_key}/trades", params={"instrument": ETH}).json()
    assert {one["instrument"] for one in trades["items"]} == {ETH}
    assert set(team.trader.get(f"/runs/{run_key}/equity").json()["buy_and_hold"]) == {None}


def test_the_whole_run_is_a_file(team: Team) -> None:
    run_key = with_curve(team, "grid")
    head = run_head(team.settings, caller(team), run_key)

    found = team.trader.get(f"/runs/{run_key}/export.json").json()

    whole = whole_equity(team.settings, head)
    assert found["result"] == head.document
    assert found["equity"]["t"] == whole.opened_ms.tolist()
    assert found["equity"]["equity"] == whole.equity.tolist()
    assert len(found["trades"]) == head.document["trades"]
    text = team.trader.get(f"/runs/{run_key}/trades.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["profit"]) for row in rows] == [one["profit"] for one in found["trades"]]
