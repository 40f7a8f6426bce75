"""Runs and scenes side by side through the API."""

from __future__ import annotations

import pytest

from tests.api.lived_in import Team

pytestmark = pytest.mark.integration


def test_two_runs_are_compared(team: Team) -> None:
    keys = [one["run_key"] for one in team.runs("grid")][:2]

    found = team.trader.get("/compare", params={"run": keys}).json()

    assert [one["run_key"] for one in found["runs"]] == keys
    paths = {one["path"] for one in found["differences"]}
    assert paths <= {"strategy.params.fast", "exits.stop_loss"}
    assert paths
    sharpe = next(one for one in found["metrics"] if one["name"] == "sharpe")
    assert sharpe["best"] in ([0], [])
    hidden = team.runs("stocks")[0]["run_key"]
    for other in (team.other, team.admin):
        assert other.get("/compare", params={"run": [keys[0], hidden]}).status_code == 404
        assert other.get("/compare", params={"scene": team.scene("stocks")}).status_code == 404


def test_the_best_runs_of_scenes_are_compared(team: Team) -> None:
    scenes = [team.scene("grid"), team.scene("portfolio")]

    found = team.trader.get("/compare", params={"scene": scenes}).json()

    assert len(found["runs"]) == 2
    assert "portfolio.rebalance.every" in {one["path"] for one in found["differences"]}
    curves_ = found["curves"]
    assert all(len(one) == len(curves_["t"]) for one in curves_["values"])
