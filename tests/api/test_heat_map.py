"""A heat map of more values than it shows one by one, and the runs behind its cells."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.lived_in import Team
from tests.warehouse.lived import ASKED, concluded
from warehouse.database import transaction

pytestmark = pytest.mark.integration

FAST = "strategy.params.fast"
STOP = "exits.stop_loss"
_OWNED = text(
    "UPDATE ops.scene SET user_id = (SELECT id FROM ops.user WHERE name = 'trader')"
    " WHERE user_id IS NULL"
)


@pytest.fixture(scope="module")
def wide(team: Team) -> str:
    """A scene that tries 70 values of `fast`, which a map gathers into ranges."""
    strategy = {"name": "sma_cross", "params": {"slow": 90}}
    search = {"space": {FAST: {"from": 1, "to": 70, "step": 1}}}
    concluded(team.life, "wide", {**ASKED, "strategy": strategy, "search": search}, team.settings)
    with transaction(team.settings) as connection:
        connection.execute(_OWNED)
    return team.scene("wide")


def heat_map(team: Team, scene_id: str, **asked: str) -> dict[str, Any]:
    answer = team.trader.get(f"/scenes/{scene_id}/heatmap", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(team: Team, scene_id: str, *where: str) -> list[dict[str, Any]]:
    answer = team.trader.get(f"/scenes/{scene_id}/runs", params={"where": where, "limit": 200})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_a_range_says_which_values_lie_in_it_and_finds_just_their_runs(
    team: Team, wide: str
) -> None:
    shown = heat_map(team, wide, x=FAST, metric="sharpe")
    ends = list(zip(shown["x_values"], shown["x_to"], strict=True))

    # Ends are values that were run, each value lies in one range, and none is left out.
    assert len(ends) == 24
    assert [value for low, high in ends for value in range(int(low), int(high) + 1)] == list(
        range(1, 71)
    )
    for (low, high), runs, best in zip(ends, shown["runs"][0], shown["values"][0], strict=True):
        behind = found(team, wide, f"{FAST}:ge:{low}", f"{FAST}:le:{high}")
        assert len(behind) == runs > 0
        assert max(one["metrics"]["sharpe"] for one in behind) == best


def test_few_values_are_no_ranges(team: Team) -> None:
    shown = heat_map(team, team.scene("grid"), x=FAST, y=STOP)

    assert (shown["x_values"], shown["x_to"]) == ([5, 10, 20], [None, None, None])
    assert (shown["y_values"], shown["y_to"]) == ([None, 0.03], [None, None])


def test_what_has_no_value_is_found_by_null(team: Team) -> None:
    scene = team.scene("grid")

    assert len(found(team, scene)) == 6
    assert [one["params"][STOP] for one in found(team, scene, f"{STOP}:eq:null")] == [None] * 3
    assert [one["params"][STOP] for one in found(team, scene, f"{STOP}:eq:0.03")] == [0.03] * 3


def test_the_best_of_a_cell_is_the_lowest_where_lower_is_better(team: Team, wide: str) -> None:
    shown = heat_map(team, wide, x=FAST, metric="volatility_ann", reduce="max")

    for low, high, best in zip(shown["x_values"], shown["x_to"], shown["values"][0], strict=True):
        behind = found(team, wide, f"{FAST}:ge:{low}", f"{FAST}:le:{high}")
        least = min(one["metrics"]["volatility_ann"] for one in behind)
        assert math.isclose(least, best)
