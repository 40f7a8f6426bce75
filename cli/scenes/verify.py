"""`mela verify`: stored results whose numbers are no longer those that were stored."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cli import completion
from cli.console import err, explains, out
from cli.panels import SCENES
from cli.scenes.scene_ids import HELP, scene_id_of
from mela.counts import counted
from mela.run import instant_text
from mela.settings import Settings

SHOWN = 40


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(verify)


@explains
def verify(
    scene_id: Annotated[
        str | None,
        typer.Option(
            "--scene",
            metavar="SCENE_ID",
            help=f"Only the results of this scene. {HELP}",
            autocompletion=completion.scene_ids,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """List stored results that were changed after they were stored. Exit 1 if there are any.

    Each result is sealed when it is stored; a number that somebody changed in the warehouse no
    longer fits the seal. `mela stale` lists results that are as stored and no longer hold.
    """
    from services.runs.seals import verify_results

    settings = Settings()
    wanted = scene_id_of(scene_id, settings) if scene_id else None
    broken, compared = verify_results(settings, scene_id=wanted)
    if as_json:
        body = [{**asdict(one), "computed_at": instant_text(one.computed_at)} for one in broken]
        print(json.dumps(body, indent=2))
    elif not broken:
        err.print(f"{counted(compared, 'stored result')}: each is what was stored.")
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("result", "instrument", "interval", "strategy", "computed", "what is wrong"):
            table.add_column(name)
        for one in broken[:SHOWN]:
            table.add_row(
                *(one.result_key[:16], one.instrument, one.interval, one.strategy),
                instant_text(one.computed_at)[:19],
                "changed after it was stored" if one.is_sealed else "stored without a seal",
            )
        out.print(table)
        err.print(
            f"{len(broken):,} of {counted(compared, 'stored result')} are not what was stored. "
            "Restore the warehouse from a backup, or remove these rows and publish their scenes "
            "again; docs/security.md says how.",
            markup=False,
        )
    if broken:
        raise typer.Exit(1)
