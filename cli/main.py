"""The command line: `mela --help`."""

from __future__ import annotations

import typer

import mela
from cli import ask, compare, mcp
from cli.candles import headlines, imports, load, quality, snapshot, watch
from cli.console import out, quiet_logs
from cli.scenes import (
    backtest,
    lineage,
    prune,
    publish,
    rejected,
    scene_list,
    stale,
    stored_runs,
    trace,
    verify,
)
from cli.stack import demo, programs, services, top, users
from cli.strategies import catalogue, check, model, new
from cli.trading import drift, trade

app = typer.Typer(
    name="mela",
    help=(
        "Backtest trading strategies on crypto and stock candles.\n\n"
        "`mela demo` runs the whole pipeline once. Step by step: `mela up` starts the stack, "
        "`mela ingest` loads candles, `mela publish SCENE.yaml --follow` runs backtests, "
        "`mela down` stops the stack."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(is_wanted: bool) -> None:
    if is_wanted:
        out.print(mela.__version__)
        raise typer.Exit


@app.callback()
def main(
    _: bool = typer.Option(False, "--version", callback=_version, help="Print the version."),
) -> None:
    """Set up what every command shares."""
    quiet_logs()


# The order of the groups in `mela --help` is the order in which they are first used.
for module in (
    *(publish, scene_list, trace, stored_runs, backtest),
    *(stale, verify, prune, lineage, rejected, watch, drift),
    *(load, imports, quality, snapshot, headlines),
    *(catalogue, new, check, model, trade, ask, demo, services, users, top, programs, mcp, compare),
):
    module.register(app)

if __name__ == "__main__":
    app()
