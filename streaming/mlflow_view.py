"""MLflow's page that compares a scene's runs: its columns, charts and address. Pure.

MLflow's page reads a view from a tag of the experiment (`mlflow.sharedViewState.KEY`), by the key
in its address. Its fields are those of `mlflow` 3.17, whose version is pinned.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from mela.metrics import LOWER_IS_BETTER

VIEW_TAG = "mlflow.sharedViewState."
MOST_VIEWS = 50  # kept in an experiment: its page loads them all
MOST_COMPARED = 3
RUN_NAME = "attributes.`Run Name`"
NAME_MARGIN, LETTER, MOST_SHOWN, COLUMN = 70, 7, 90, 110  # pixels, but for the letters shown
OF_RUNS = "workflowType=machine_learning"  # else MLflow opens its pages on traces
ALWAYS = ("sharpe", "total_return", "max_drawdown", "trades")


def view(
    parent_id: str, paths: Sequence[str], axes: Sequence[str], rank_by: str, longest_name: int
) -> dict[str, Any]:
    """Return the view of a scene's runs: only they, the best first, what varies as columns.

    paths: parameters that vary; axes: those that charts draw them by, see `mlflow_words.axes`
    longest_name: how many characters a run's name has, so that none is cut
    """
    metrics = list(dict.fromkeys((rank_by, *ALWAYS)))
    columns = [f"params.`{path}`" for path in paths] + [f"metrics.`{name}`" for name in metrics]
    return {
        "searchFilter": f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_id}'",
        "orderByKey": f"metrics.`{rank_by}`",
        "orderByAsc": rank_by in LOWER_IS_BETTER,
        "selectedColumns": columns,
        "columnOrder": [RUN_NAME, *columns],
        "columnWidths": {RUN_NAME: NAME_MARGIN + min(longest_name, MOST_SHOWN) * LETTER}
        | dict.fromkeys(columns, COLUMN),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunSections": [
            _section("all", "All parameters at once", columns=1, height=460),
            _section("each", f"{rank_by} over each parameter", columns=2, height=380),
        ],
        "compareRunCharts": _charts(list(axes), metrics, rank_by),
    }


def packed(state: Mapping[str, Any]) -> str:
    """Return a view as MLflow's page reads it: JSON, deflated, in base64."""
    spelled = json.dumps(state, separators=(",", ":")).encode()
    return f"deflate;{base64.b64encode(zlib.compress(spelled)).decode()}"


def run_path(experiment_id: str, run_id: str) -> str:
    """Return where one run is, below the server's address."""
    return f"#/experiments/{experiment_id}/runs/{run_id}?{OF_RUNS}"


def table_path(experiment_id: str, key: str) -> str:
    """Return where the table of a scene's runs is."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={quote(key)}&{OF_RUNS}"


def chart_path(experiment_id: str, key: str) -> str:
    """Return where the charts of a scene's runs are."""
    return f"{table_path(experiment_id, key)}&compareRunsMode=CHART"


def compare_path(experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return where some runs stand side by side."""
    runs, experiments = (json.dumps(list(ids)) for ids in (run_ids, [experiment_id]))
    return f"#/compare-runs?runs={quote(runs)}&experiments={quote(experiments)}&{OF_RUNS}"


def _charts(axes: list[str], metrics: Sequence[str], rank_by: str) -> list[dict[str, Any]]:
    """Return the charts: parallel coordinates, then the metric over each parameter."""
    parallel = {
        "type": "PARALLEL",
        "metricSectionId": "all",
        "selectedParams": axes,
        "selectedMetrics": [*metrics[1:MOST_COMPARED], rank_by],  # the last one colours the lines
        "showAllRuns": True,
    }
    over = [
        {
            "type": "SCATTER",
            "metricSectionId": "each",
            "xaxis": {"key": axis, "type": "PARAM"},
            "yaxis": {"key": rank_by, "type": "METRIC"},
        }
        for axis in axes
    ]
    return [_chart(number, one) for number, one in enumerate((parallel, *over))]


def _section(key: str, name: str, *, columns: int, height: int) -> dict[str, Any]:
    shape = {"columns": columns, "cardHeight": height}
    return {"uuid": key, "name": name, "display": True, "isReordered": False} | shape


def _chart(number: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uuid": str(uuid5(NAMESPACE_URL, f"mela:chart:{number}")),
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
        **fields,
    }
