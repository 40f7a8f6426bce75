"""`mela demo`: the whole pipeline once, on real candles and services, each step checked."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import explains
from cli.panels import STACK
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=STACK)(demo)


@explains
def demo(
    offline: Annotated[
        bool, typer.Option("--offline", help="Serve packaged real candles on this machine.")
    ] = False,
    exit_: Annotated[
        bool,
        typer.Option("--exit", help="Stop everything at the end; exit 0 if every step succeeded."),
    ] = False,
) -> None:
    """Run the whole pipeline: ingest candles, run a grid, reject bad input, trade on paper.

    Leaves the stack running, so that you can look around. May be repeated.
    """
    from cli.stack.demo_steps import run_tour

    run_tour(Settings(), offline=offline, stop_at_end=exit_)
