"""Frames: the same columns, types and order, wherever the rows come from."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest

from api.models.scene_runs import RunRow
from client.frames import (
    TRADE_COLUMNS,
    as_kind,
    equity_frame,
    runs_frame,
    scalars,
    trades_frame,
)
from mela.errors import InputInvalid
from mela.metrics import METRICS, WHOLE

INSTANT = "datetime64[ns, UTC]"


def row(**change: Any) -> RunRow:
    fields: dict[str, Any] = {
        "run_key": "ab" * 32,
        "rank": 1,
        "is_best": True,
        "instruments": ("here:A",),
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2023-02-01T00:00:00Z",
        "strategy": "sma_cross",
        "params": {"strategy.params.fast": 10},
        "strategy_params": {"fast": 10, "slow": 30},
        "status": "succeeded",
        "cached": False,
        "has_curve": True,
        "metrics": {**dict.fromkeys(METRICS, 0.5), **dict.fromkeys(WHOLE, 3)},
        "warnings": ("short_span", "gaps"),
        "error": None,
    }
    return RunRow(**{**fields, **change})


def test_runs_have_a_column_for_each_thing_that_varies_and_each_metric() -> None:
    frame = runs_frame([row()], ["strategy.params.fast", "exits.stop_loss", "instrument"])
    assert list(frame.columns) == [
        *("rank", "run_key", "instrument", "interval", "start", "end", "strategy"),
        *("exits.stop_loss", "strategy.params.fast", "status", *METRICS, "warnings", "error"),
    ]
    [found] = frame.to_dict("records")
    assert (found["rank"], found["instrument"], found["trades"]) == (1, "here:A", 3)
    assert found["warnings"] == "short_span gaps"
    assert frame["start"].dtype == INSTANT
    assert {str(frame[name].dtype) for name in WHOLE} == {"Int64"}


def test_what_is_undefined_is_nan_or_na_and_changes_no_type() -> None:
    failed = row(rank=None, status="failed", metrics=dict.fromkeys(METRICS), error="E: no")
    whole, one = runs_frame([row(), failed], []), runs_frame([failed], [])
    assert whole.dtypes.to_dict() == one.dtypes.to_dict() == runs_frame([], []).dtypes.to_dict()
    assert one["sharpe"].isna().all()
    assert one["trades"].isna().all()
    assert one["rank"].isna().all()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([10, 20], "Int64"),
        ([10.0, 20.0], "Int64"),
        ([None, 0.05], "float64"),
        ([None, 5], "Int64"),
        ([True, None], "boolean"),
        (["a", None], "object"),
        ([1, "a"], "object"),
        ([None, None], "object"),
    ],
)
def test_a_field_of_a_scene_has_the_type_of_its_values(values: list[Any], dtype: str) -> None:
    assert str(pd.Series(scalars(values)).dtype) == dtype


def test_trades_and_equity_have_their_types_without_any_row() -> None:
    trades = trades_frame([])
    assert list(trades.columns) == list(TRADE_COLUMNS)
    assert str(trades["entry_at"].dtype) == INSTANT
    equity = equity_frame({"t": [], "equity": [], "drawdown": [], "buy_and_hold": []})
    assert list(equity.columns) == ["opened_at", "equity", "drawdown", "buy_and_hold"]
    assert str(equity["opened_at"].dtype) == INSTANT
    full = equity_frame(
        {"t": [1_672_531_200_000], "equity": [1.5], "drawdown": [0.0], "buy_and_hold": [None]}
    )
    assert full.dtypes.to_dict() == equity.dtypes.to_dict()
    assert full["opened_at"].iloc[0] == pd.Timestamp("2023-01-01T00:00:00Z")


def test_frames_of_polars_have_the_same_columns() -> None:
    frame = runs_frame([row(), row(rank=2)], ["strategy.params.fast"])
    found = as_kind(frame, "polars")
    assert isinstance(found, pl.DataFrame)
    assert found.columns == list(frame.columns)
    assert found["strategy.params.fast"].to_list() == [10, 10]
    assert found.schema["start"] == pl.Datetime("ns", "UTC")


def test_another_library_is_refused_by_name() -> None:
    with pytest.raises(InputInvalid, match="expected one of pandas, polars, but found 'arrow'"):
        as_kind(pd.DataFrame(), "arrow")  # type: ignore[arg-type]
