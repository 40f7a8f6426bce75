"""`mela prune` and `mela pin`: thin what is old, have it again, or keep it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cli import completion
from cli.console import err, explains, fail, out
from cli.panels import SCENES
from cli.scenes.scene_ids import HELP, scene_id_of
from mela.run import instant_text
from mela.settings import Settings
from stack import tracking_users


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (prune, pin):
        app.command(rich_help_panel=SCENES)(command)


@explains
def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and how many bytes.")
    ] = False,
    scene_id: Annotated[
        str | None,
        typer.Option(
            "--restore",
            metavar="SCENE_ID",
            help=f"Publish a pruned scene again, under a new id. {HELP}",
            autocompletion=completion.scene_ids,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """Remove results, curves and MLflow runs of old scenes, but the best of each.

    The settings MELA_PRUNE__… are the rules. Trials are counted as before, whatever goes, and
    pinned scenes, opened holdouts and what schedules count from stay. It may run beside the job,
    and again after it was interrupted.
    """
    settings = Settings()
    if scene_id is not None:
        from services.retention.restore import restore

        new_id = restore(scene_id_of(scene_id, settings), settings)
        out.print(str(new_id), markup=False)
        err.print(f"`mela follow {new_id}` shows how far it is.", markup=False)
        return
    from services.retention.prune import prune as thin

    found = thin(tracking_users.as_admin(settings), dry_run=dry_run)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("would go" if dry_run else "gone")
    table.add_column("number", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("rule")
    for one in found:
        size = "" if one.bytes is None else f"{one.bytes:,}"
        table.add_row(one.what, f"{one.count:,}", size, one.rule)
    out.print(table)
    for one in found:
        if one.note:
            err.print(one.note, markup=False)
    if not dry_run and any(one.count for one in found):
        err.print(
            "Postgres uses the space again, and `mela mlflow gc` frees MLflow's. Trials count as "
            "before.",
            markup=False,
        )


@explains
def pin(
    scene_id: Annotated[
        str | None,
        typer.Argument(metavar="[SCENE_ID]", help=HELP, autocompletion=completion.scene_ids),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it shall stay.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let the rules hold again.")] = False,
) -> None:
    """Keep a scene from `mela prune`, or list the scenes that are kept."""
    from services.retention import restore

    settings = Settings()
    if scene_id is None:
        if remove or reason:
            raise fail("say which scene: `mela pin SCENE_ID`.")
        for one in restore.pins(settings):
            words = [str(one.scene_id), instant_text(one.pinned_at)[:10], one.name, one.reason]
            out.print("  ".join(filter(None, words)), markup=False)
        return
    found = scene_id_of(scene_id, settings)
    if not remove:
        restore.pin(found, settings, reason=reason)
        err.print(f"pinned {found}: nothing of it is pruned", markup=False)
    elif restore.unpin(found, settings):
        err.print(f"{found} is pinned no more", markup=False)
    else:
        raise fail(f"the scene {found} is not pinned; `mela pin` lists those that are.")
