"""`mela rejected`: messages that were refused, with the reason."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from cli.console import err, explains, out
from cli.panels import SCENES
from mela.run import instant_text
from mela.settings import Settings

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(rejected)


@explains
def rejected(
    most: Annotated[int, typer.Option("--last", min=1, help="How many to print.")] = SHOWN,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one array, with each message in base64.")
    ] = False,
) -> None:
    """Print the newest rejected messages, with the field that was wrong and the reason."""
    from services.rejected import latest_rejections

    found = latest_rejections(Settings(), most=most)
    if as_json:
        out.print(
            json.dumps([one.model_dump(mode="json") for one in found], indent=2), markup=False
        )
        return
    if not found:
        err.print("no message was rejected.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("rejected", "message", "code", "field", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    for one in found:
        table.add_row(
            instant_text(one.rejected_at)[:19], one.key, one.code, one.field or "–", one.sentence
        )
    out.print(table)
