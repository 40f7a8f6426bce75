"""The runs of a scene through the API: pages by any metric, a file, a heat map."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import orjson
import pytest
from sqlalchemy import text

from mela.metrics import LOWER_IS_BETTER, METRICS, rank
from tests.api.lived_in import Team
from tests.api.runs import documents
from tests.warehouse.lived import BTC
from warehouse.database import transaction

pytestmark = pytest.mark.integration


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
