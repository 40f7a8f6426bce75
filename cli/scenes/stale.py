"""`mela stale`: stored results that no longer hold, and their scenes published again."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli import completion
from cli.console import err, explains, out
from cli.panels import SCENES
from cli.scenes.scene_ids import HELP, scene_id_of
from mela.counts import counted
from mela.run import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from services.scenes.rerun import Stale

SHOWN = 40
REASONS = {
    "candles": "candles changed",
    "strategy": "strategy changed",
    "strategy_gone": "strategy is gone",
    "engine": "engine changed",
    "metrics": "metrics changed",
}


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(stale)


@explains
def stale(
    scene_id: Annotated[
        str | None,
        typer.Option(
            "--scene",
            metavar="SCENE_ID",
            help=f"Only the results of this scene. {HELP}",
            autocompletion=completion.scene_ids,
        ),
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the scenes of stale results again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """List stored results whose candles, strategy, engine or metrics have changed.

    `--publish` publishes their scenes again under new ids, marked as re-runs. Results that still
    hold are answered from store, and the old results stay beside the new ones.
    """
    from services.scenes.rerun import find_stale, rerun_scene

    settings = Settings()
    found = find_stale(settings, scene_id=scene_id_of(scene_id, settings) if scene_id else None)
    if as_json:
        print(json.dumps(_document(found), indent=2))
    else:
        _show(found)
    if not publish:
        return
    sent, already = 0, 0
    for scene in found.scenes:
        one = rerun_scene(scene, settings)
        if one.refused:
            err.print(f"not published again: {one.scene_id}, as {one.refused}", style="yellow")
        elif one.is_new:
            sent += 1
            out.print(f"{one.rerun_id} again for {one.scene_id}", markup=False)
        else:
            already += 1
    err.print(f"published {counted(sent, 'scene')} again; {already:,} were already")


def _show(found: Stale) -> None:
    results = found.results
    if not results:
        err.print("all stored results hold: nothing is stale.")
        return
    for reason, count in Counter(why for one in results for why in one.reasons).items():
        err.print(f"{counted(count, 'result')}: {REASONS[reason]}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("result", "instrument", "interval", "strategy", "computed", "revision", "why"):
        table.add_column(name, no_wrap=name != "why")
    for one in results[:SHOWN]:
        revision_text = (
            f"{', '.join(map(str, one.revisions))} → {one.spoilt_by}" if one.spoilt_by else "–"
        )
        table.add_row(
            *(one.result_key[:16], one.instrument, one.interval, one.strategy),
            *(instant_text(one.computed_at)[:19], revision_text),
            ", ".join(REASONS[reason] for reason in one.reasons),
        )
    out.print(table)
    if len(results) > SHOWN:
        err.print(f"and {len(results) - SHOWN:,} more: --json prints them all")
    for scene in found.scenes:
        name = f" {scene.name}" if scene.name else ""
        out.print(
            f"scene {scene.scene_id}{name}: {len(scene.results):,} stale, {scene.status}",
            markup=False,
        )


def _document(found: Stale) -> dict[str, list[dict[str, object]]]:
    return {
        "results": [
            {
                "result_key": one.result_key,
                "run_key": one.run_key,
                "instrument": one.instrument,
                "interval": one.interval,
                "strategy": one.strategy,
                "start": instant_text(one.start),
                "end": instant_text(one.end),
                "computed_at": instant_text(one.computed_at),
                "revisions": list(one.revisions),
                "spoilt_by": one.spoilt_by,
                "reasons": list(one.reasons),
            }
            for one in found.results
        ],
        "scenes": [
            {
                "scene_id": str(one.scene_id),
                "name": one.name,
                "status": one.status,
                "stale": len(one.results),
                "rerun_id": str(one.rerun_id) if one.can_rerun else None,
            }
            for one in found.scenes
        ],
    }
