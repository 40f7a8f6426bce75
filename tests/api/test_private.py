"""What is private of one user tells others nothing, not even a number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Browser
from tests.api.lived_in import Team, team  # noqa: F401  a fixture
from tests.warehouse.lived import ASKED, STOCKS

pytestmark = pytest.mark.integration


def stored_runs(by: Browser, scene: dict[str, Any]) -> int:
    answer = by.post("/scenes/validate", json={"scene": scene})
    assert answer.status_code == 200, answer.text
    assert answer.json()["is_valid"] is True
    return answer.json()["stored_runs"]


def runs_of(by: Browser, strategy: str) -> int:
    answer = by.get(f"/strategies/{strategy}")
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"]


def test_a_dry_run_does_not_tell_what_others_have_asked_in_private(team: Team) -> None:  # noqa: F811
    assert stored_runs(team.trader, STOCKS) == 1
    assert [stored_runs(by, STOCKS) for by in (team.other, team.viewer, team.admin)] == [0, 0, 0]
    assert [stored_runs(by, ASKED) for by in (team.trader, team.other)] == [1, 1]  # of the team


def test_a_strategys_record_counts_no_run_that_others_keep_private(team: Team) -> None:  # noqa: F811
    own = runs_of(team.trader, "rsi_reversion")
    assert [runs_of(by, "rsi_reversion") for by in (team.other, team.admin)] == [own - 1, own - 1]
    seen = runs_of(team.other, "sma_cross")
    assert seen == runs_of(team.trader, "sma_cross") > 1
