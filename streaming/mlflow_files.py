"""The files that MLflow keeps of a scene: tables of its runs, pictures of the best, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import structlog

from backtests.charts.equity import equity_chart
from mela.settings import Settings
from services.runs.recompute import Changed, recompute
from streaming import mlflow_words as words
from streaming import strategies
from streaming.clients import reader_of
from streaming.poison import is_away
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes.stored_scene import StoredScene

log = structlog.get_logger()
Document = Mapping[str, Any]
TABLE, PICTURE = "runs.json", "best.html"
IN_TABLE = 1_000  # rows of the table that MLflow's viewer opens
IN_CSV = 5_000  # rows of runs.csv: they lie in the job's memory, a few kilobytes each


def write_tables(folder: Path, rows: Sequence[Document], report: Document | None) -> None:
    """Write the table of runs, for programs and for MLflow's viewer, and the report on a search."""
    named = words.labels(words.varied(rows))
    table = pd.DataFrame(words.table_of(rows, named))
    table.to_csv(folder / "runs.csv", index=False)
    # its viewer reads a dot in a name as a step into a nested value
    shown = table[:IN_TABLE].rename(columns=lambda name: name.replace(".", " "))
    shown.to_json(folder / TABLE, orient="split", index=False)
    if report is not None:
        document = orjson.dumps(report, option=orjson.OPT_INDENT_2)
        (folder / "report.json").write_bytes(document)


def write_curve(folder: Path, best: Document, settings: Settings) -> None:
    """Draw the stored equity curve of the best run, where it has one."""
    with transaction(settings) as connection:
        curve = results.curve(connection, best["result_key"])
    if curve is not None:
        equity_chart(curve, best, folder / "equity.png")


def write_picture(
    folder: Path, scene: StoredScene, best: Document, rows: Sequence[Document], settings: Settings
) -> None:
    """Draw the best run as a page, if it trades one instrument and is still what it was.

    Raises what says that a service is away.
    """
    if len(best["instruments"]) > 1:  # no picture shows several
        return
    try:
        found = recompute(best, settings, reader_of(settings), strategies.current(settings))
        if isinstance(found, Changed):
            return
        from backtests.charts.picture import scene_picture  # loads Plotly

        search = scene.content.get("search") or {}
        picture = scene_picture(
            "html",
            found.outcome,
            found.series[best["instruments"][0]],
            rows=rows,
            paths=tuple(search.get("space", ())),
            metric=scene.rank_by,
        )
    except Exception as error:
        if is_away(error):
            raise
        log.exception("picture_not_drawn", run_key=best["run_key"])
        return
    (folder / PICTURE).write_bytes(picture)
