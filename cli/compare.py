"""`mela compare`: how a change affects numbers, trades and speed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import err, out
from cli.panels import DEVELOPMENT
from regression.commits import HERE
from regression.errors import NotCompared

REPORT = "report.md"
REPEATS = 7
FAILED, NOT_COMPARED = 1, 3


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=DEVELOPMENT)(compare)


def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A commit, branch or tag.")],
    head: Annotated[
        str, typer.Argument(metavar="HEAD", help="Another, or . for the working tree as it is.")
    ] = HERE,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            file_okay=False,
            help=f"Write {REPORT} and pictures into this folder, instead of printing the report.",
        ),
    ] = None,
    scenes: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only golden scenes of these names, as 'sma_*'.")
    ] = "*",
    repeats: Annotated[
        int, typer.Option(min=1, max=100, help="Number of timings of each, in turns.")
    ] = REPEATS,
) -> None:
    """Run the golden scenes on two commits; report what moved, and whether anything says why.

    Exit codes: 0 nothing moved without a reason, 1 something did or a scene fails, 2 wrong usage,
    3 not compared.

    Example: mela compare main . --out comparison
    """
    from regression.comparison import report_on  # loads numpy and pandas

    try:
        text, has_passed = report_on(
            base, head, scenes, repeats, to and to / REPORT, tell=err.print
        )
    except NotCompared as error:  # exit code 1 would say that numbers moved
        err.print("[bold red]error[/]", end=" ")
        err.print(str(error), markup=False)
        raise typer.Exit(NOT_COMPARED) from error
    out.print(text, markup=False, end="")
    if not has_passed:
        raise typer.Exit(FAILED)
