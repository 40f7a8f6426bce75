"""The report on a search keeps its shape from one release to another."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mela.search_report import SceneEnding, SearchReport

# as the first release with searches stored it
STORED: dict[str, Any] = {
    "recorded": True,
    "winner": {
        "instrument": "binance:BTCUSDT",
        "strategy": "sma_cross",
        "choice": {"strategy.params.fast": 10.0},
        "run_key": "a" * 64,
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "sharpe": 1.5,
        "total_return": 0.25,
        "max_drawdown": -0.125,
        "trades": 40,
        "rank_by": "calmar",
        "calmar": 2.0,
    },
    "statistics": {"n_trials": 9, "reason": "its span is too short"},
    "holdout": {
        "start": "2023-10-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "instrument": "binance:BTCUSDT",
        "run_key": "a" * 64,
        "status": "succeeded",
        "error": None,
        "total_return": 0.5,
        "sharpe": None,
        "max_drawdown": -0.25,
        "trades": 3,
        "buy_hold_return": 0.1,
        "opened_at": "2024-02-01T00:00:00Z",
        "opened_by": "mela",
        "reopened": 2,
    },
}


def test_a_stored_report_comes_back_as_it_was_stored() -> None:
    ending = {"best": [{"run_key": "a" * 64}], "warnings": [], "report": STORED}
    read = SceneEnding.model_validate(ending)
    assert read.report_document() == STORED
    assert read.model_dump(mode="json", exclude_unset=True) == ending


def test_a_field_of_a_later_release_is_kept() -> None:
    later = STORED | {"forecast": {"horizon": 3}}
    assert SceneEnding.model_validate({"report": later}).report_document() == later


def test_a_scene_that_ended_before_there_were_reports_has_none() -> None:
    for ending in ({}, {"best": [{"run_key": "a" * 64}], "warnings": []}):
        assert SceneEnding.model_validate(ending).report_document() is None


def test_the_headline_leaves_out_what_is_undefined_or_was_not_asked() -> None:
    assert SearchReport.model_validate(STORED).headline() == {
        "n_trials": 9.0,
        "holdout_total_return": 0.5,
        "holdout_max_drawdown": -0.25,
    }
    assert SearchReport(reason="no run of the scene has any metrics").headline() == {}


def test_a_report_of_another_shape_is_refused_by_field() -> None:
    with pytest.raises(ValidationError, match=r"holdout\.trades"):
        SearchReport.model_validate(STORED | {"holdout": STORED["holdout"] | {"trades": "many"}})
