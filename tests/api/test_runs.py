"""Runs through the API: pages by any metric, one run, its series for a screen, its trades."""

from __future__ import annotations

import csv
import io
import itertools
import math
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pytest
from sqlalchemy import text

from mela.candles import Candles
from mela.interval import Interval
from mela.metrics import LOWER_IS_BETTER, METRICS, rank
from services import accounts, run_trades
from services.results import result_rows
from services.run_detail import run_head
from services.run_series import candles_of, merged, whole_equity
from tests.api.lived_in import Team
from tests.warehouse.lived import BTC, ETH
from warehouse.accounts import accounts as stored
from warehouse.database import transaction
from warehouse.results import curves

pytestmark = pytest.mark.integration


def documents(team: Team, called: str) -> list[dict[str, Any]]:
    scene_id = team.life.scenes[called].scene_id
    assert scene_id
    return result_rows(scene_id, team.settings)


def with_curve(team: Team, called: str) -> str:
    return next(one["run_key"] for one in team.runs(called) if one["has_curve"])


def caller(team: Team) -> Any:
    with transaction(team.settings) as connection:
        row = stored.by_name(connection, "trader")
    assert row is not None
    role = accounts.Role(row.role)
    return accounts.Caller(row.id, row.user_id, row.user, role, frozenset({"read"}), via="session")


@pytest.mark.parametrize("metric", ["sharpe", "max_drawdown", "volatility_ann", "trades", "kelly"])
def test_pages_have_the_order_that_the_engine_gives(team: Team, metric: str) -> None:
    wanted = [one["run_key"] for one in rank(documents(team, "grid"), metric)]

    paged: list[str] = []
    cursor = None
    for _ in range(10):
        asked: dict[str, Any] = {"limit": 2, "sort": metric}
        path = f"/scenes/{team.scene('grid')}/runs"
        page = team.trader.get(path, params=asked | ({"cursor": cursor} if cursor else {})).json()
        paged += [one["run_key"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert paged == wanted


def test_the_other_order_is_the_reverse_but_for_what_is_undefined(team: Team) -> None:
    first, last = (
        [one["metrics"]["total_return"] for one in team.runs("grid", sort="total_return", order=o)]
        for o in ("asc", "desc")
    )

    assert first == sorted(first)
    assert last == first[::-1]


def test_a_row_has_all_metrics_as_they_are_stored(team: Team) -> None:
    stored = {one["run_key"]: one for one in documents(team, "grid")}

    for row in team.runs("grid"):
        assert list(row["metrics"]) == list(METRICS)
        assert row["metrics"] == {name: stored[row["run_key"]][name] for name in METRICS}
        assert row["strategy_params"] == stored[row["run_key"]]["params"]
        assert row["params"]["strategy.params.fast"] == stored[row["run_key"]]["params"]["fast"]
        assert row["params"]["exits.stop_loss"] == stored[row["run_key"]]["exits"]["stop_loss"]


def test_ranks_are_those_of_the_scene_and_one_run_is_the_best(team: Team) -> None:
    rows = team.runs("grid")

    assert [one["rank"] for one in rows] == [1, 2, 3, 4, 5, 6]
    assert [one["is_best"] for one in rows] == [True, *[False] * 5]


@pytest.mark.parametrize(("limit", "is_whole"), [(3, True), (4, False)])
def test_what_a_scenes_end_noted_gives_the_same_first_page(
    team: Team, limit: int, is_whole: bool
) -> None:
    """A noted run that was pruned since is made up for."""
    wanted = team.runs("grid")[:limit]
    noted = [one["run_key"] for one in team.runs("grid")][: limit + 1]
    if not is_whole:
        noted[1] = "0" * 64
    write = text(
        "UPDATE ops.scene SET best = coalesce(best, '{}') || CAST(:first AS jsonb)"
        " WHERE scene_id = :scene_id"
    ).bindparams(first=orjson.dumps({"first": noted}).decode(), scene_id=team.scene("grid"))
    with transaction(team.settings) as connection:
        connection.execute(write)

    assert team.runs("grid", limit=limit) == wanted


@pytest.mark.parametrize(
    ("where", "keeps"),
    [
        ("strategy.params.fast:eq:10", lambda one: one["params"]["fast"] == 10),
        ("strategy.params.fast:gt:10", lambda one: one["params"]["fast"] > 10),
        ("exits.stop_loss:eq:0.03", lambda one: one["exits"]["stop_loss"] == 0.03),
        ("sharpe:lt:1", lambda one: one["sharpe"] < 1),
        ("status:eq:failed", lambda one: one["status"] == "failed"),
    ],
)
def test_conditions_keep_what_fulfils_them(team: Team, where: str, keeps: Any) -> None:
    wanted = {one["run_key"] for one in documents(team, "grid") if keeps(one)}

    path = f"/scenes/{team.scene('grid')}/runs"
    page = team.trader.get(path, params={"where": where}).json()

    assert {one["run_key"] for one in page["items"]} == wanted
    assert page["total"] == len(wanted)


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "shrpe"},
        {"where": "trades"},
        {"where": "trades:about:3"},
        {"where": "trades:ge:nan"},
        {"where": "r.run_key; DROP TABLE ops.run:eq:1"},
        {"cursor": "no cursor"},
    ],
)
def test_a_wrong_question_is_refused_in_words(team: Team, asked: dict[str, str]) -> None:
    found = team.trader.get(f"/scenes/{team.scene('grid')}/runs", params=asked)

    assert found.status_code == 422
    assert found.json()["detail"]


def test_the_file_has_every_run_with_the_digits_that_are_stored(team: Team) -> None:
    found = team.trader.get(f"/scenes/{team.scene('grid')}/runs.csv")

    rows = list(csv.DictReader(io.StringIO(found.text)))
    stored = {one["run_key"]: one for one in documents(team, "grid")}
    assert {row["run_key"] for row in rows} == stored.keys()
    for row in rows:
        document = stored[row["run_key"]]
        assert float(row["sharpe"]) == document["sharpe"]
        assert int(row["trades"]) == document["trades"]
        assert float(row["strategy.params.fast"]) == document["params"]["fast"]
        assert row["exits.stop_loss"] == str(document["exits"]["stop_loss"] or "")
        assert row["instruments"] == BTC


@pytest.mark.parametrize(
    ("reduce", "fold"), [("max", max), ("mean", np.mean), ("median", np.median)]
)
def test_a_heat_map_folds_the_runs_of_a_cell(team: Team, reduce: str, fold: Any) -> None:
    found = team.trader.get(
        f"/scenes/{team.scene('grid')}/heatmap",
        params={"x": "strategy.params.fast", "metric": "sharpe", "reduce": reduce},
    ).json()

    stored = documents(team, "grid")
    assert found["x_values"] == [5, 10, 20]
    wanted = [
        fold([one["sharpe"] for one in stored if one["params"]["fast"] == fast])
        for fast in (5, 10, 20)
    ]
    assert found["values"][0] == pytest.approx(wanted)
    assert found["runs"] == [[2, 2, 2]]


def test_a_heat_map_of_two_has_a_row_for_each_value_of_the_second(team: Team) -> None:
    found = team.trader.get(
        f"/scenes/{team.scene('grid')}/heatmap",
        params={"x": "strategy.params.fast", "y": "exits.stop_loss", "metric": "max_drawdown"},
    ).json()

    assert found["y_values"] == [None, 0.03]
    stored = {
        (one["params"]["fast"], one["exits"]["stop_loss"]): one["max_drawdown"]
        for one in documents(team, "grid")
    }
    assert found["values"] == [
        [stored[fast, stop] for fast in (5, 10, 20)] for stop in (None, 0.03)
    ]
    assert "max_drawdown" not in LOWER_IS_BETTER  # it is ≤ 0, so that higher is better


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
