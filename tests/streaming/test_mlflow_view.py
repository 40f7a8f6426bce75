"""The view that a link opens: a scene's runs alone, with columns and charts of what varies."""

from __future__ import annotations

import base64
import json
import zlib
from urllib.parse import parse_qs, urlsplit

from streaming import mlflow_view as views

PATHS, AXES = ["params.fast", "exits.stop_loss"], ["params.fast", "stop"]


def test_the_columns_are_what_varies_and_the_metric_that_ranks() -> None:
    state = views.view("abc", PATHS, AXES, "calmar", 30)

    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'abc'"
    assert state["selectedColumns"][:3] == [
        "params.`params.fast`",
        "params.`exits.stop_loss`",
        "metrics.`calmar`",
    ]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`calmar`", False)


def test_a_metric_that_is_better_when_lower_is_sorted_so() -> None:
    assert views.view("abc", PATHS, AXES, "volatility_ann", 30)["orderByAsc"] is True


def test_the_charts_draw_by_axes_that_lose_no_run_and_end_with_the_ranking_metric() -> None:
    parallel, *others = views.view("abc", PATHS, AXES, "sharpe", 30)["compareRunCharts"]

    assert parallel["type"] == "PARALLEL"
    assert parallel["selectedParams"] == AXES
    assert parallel["selectedMetrics"][-1] == "sharpe"
    assert [one["xaxis"]["key"] for one in others] == AXES
    assert len({one["uuid"] for one in (parallel, *others)}) == 3


def test_longer_names_get_a_wider_column() -> None:
    def width(longest: int) -> int:
        return views.view("abc", PATHS, AXES, "sharpe", longest)["columnWidths"][views.RUN_NAME]

    assert width(60) > width(20) > 20 * views.LETTER


def test_a_view_is_packed_as_mlflow_unpacks_it() -> None:
    kind, _, content = views.packed({"a": [1, "ä"]}).partition(";")

    assert kind == "deflate"
    assert json.loads(zlib.decompress(base64.b64decode(content))) == {"a": [1, "ä"]}


def test_every_address_asks_for_the_pages_of_runs() -> None:
    for path in (
        views.run_path("7", "abc"),
        views.table_path("7", "key"),
        views.chart_path("7", "key"),
        views.compare_path("7", ["abc", "def"]),
    ):
        asked = parse_qs(urlsplit(path.removeprefix("#")).query)
        assert asked["workflowType"] == ["machine_learning"]
    assert json.loads(asked["runs"][0]) == ["abc", "def"]
