"""`mela trace`: where a scene's time went."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.console import explains, out
from cli.panels import SCENES
from cli.scenes.scene_ids import SceneId, scene_id_of
from mela.settings import Settings

if TYPE_CHECKING:
    from services.monitoring.trace import Step, Trace


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(trace)


@explains
def trace(
    scene_id: SceneId,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print where a scene's time went: each stage from its publication to its end.

    Example: mela trace last
    """
    from services.monitoring.trace import trace_scene

    settings = Settings()
    found = trace_scene(scene_id_of(scene_id, settings), settings)
    if as_json:
        print(json.dumps(asdict(found), indent=2, default=str))
        return
    out.print(
        f"scene {found.scene_id}: {found.status}, {found.runs:,} runs, {found.cached:,} from "
        f"store, {found.seconds:.3f} s since {found.started_at:%Y-%m-%d %H:%M:%SZ}",
        markup=False,
    )
    out.print(_table(found))
    if found.mlflow_s is not None:
        out.print(f"MLflow took {found.mlflow_s:.3f} s of the conclusion.", markup=False)


def _table(found: Trace) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stage")
    for column in ("from", "seconds", "share"):
        table.add_column(column, justify="right")
    table.add_column("what happened")
    for step in found.steps:
        table.add_row(*_row(step))
    return table


def _row(step: Step) -> tuple[str, str, str, str, str]:
    name = f"{step.name} (now)" if step.is_open else step.name
    if step.started_at is None or step.seconds is None:
        return name, "–", "–", "–", step.meaning
    share = "–" if step.share is None else f"{step.share:.0%}"
    at = f"{step.started_at:%H:%M:%S}.{step.started_at.microsecond // 1000:03d}"
    return name, at, f"{step.seconds:.3f}", share, step.meaning
