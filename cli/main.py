"""The command line: `mela --help`."""

from __future__ import annotations

import typer

import mela
from cli import (
    ask,
    backtest,
    candles,
    check,
    compare,
    demo,
    headlines,
    lineage,
    programs,
    quality,
    scenes,
    services,
    snapshot,
    stale,
    strategies,
    watch,
)
from cli.console import out, quiet_logs

app = typer.Typer(
    name="mela",
    help=(
        "Test trading ideas on crypto and stock candles, as a service.\n\n"
        "`mela demo` shows everything once. By hand: `mela up` starts the stack, `mela ingest` "
        "loads candles, `mela publish SCENE.yaml --follow` runs backtests, `mela down` stops it."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(asked: bool) -> None:
    if asked:
        out.print(mela.__version__)
        raise typer.Exit


@app.callback()
def main(
    _: bool = typer.Option(False, "--version", callback=_version, help="Print the version."),
) -> None:
    """Set up what every command shares."""
    quiet_logs()


services.register(app)
programs.register(app)
candles.register(app)
headlines.register(app)
snapshot.register(app)
scenes.register(app)
stale.register(app)
lineage.register(app)
quality.register(app)
watch.register(app)
backtest.register(app)
check.register(app)
compare.register(app)
ask.register(app)
strategies.register(app)
demo.register(app)

if __name__ == "__main__":
    app()
