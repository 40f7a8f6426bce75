"""`mela check`: test whether a strategy looks ahead."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated

import typer

from cli import completion
from cli.candles.candle_file import (
    CANDLES_HELP,
    COLUMNS_HELP,
    TIMEZONE_HELP,
    WRONG_FILE,
    read_options,
)
from cli.choices import interval_option
from cli.console import fail
from cli.panels import STRATEGIES
from mela.errors import MelaError
from mela.interval import Interval


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=STRATEGIES)(check)


def check(
    strategy: Annotated[
        str,
        typer.Argument(
            metavar="STRATEGY",
            help="A name of `mela strategies`, or a file as my.py.",
            autocompletion=completion.strategies,
        ),
    ],
    candles: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help=f"{CANDLES_HELP} Without a file: packaged real candles and a random walk.",
        ),
    ] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help=TIMEZONE_HELP)] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=NAME,…", help=COLUMNS_HELP)
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(help="Parameters as k=v or as a JSON object; may be given several times."),
    ] = None,
    interval: Annotated[
        Interval | None,
        interval_option("Of the candles; 1h, or what the file tells."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the choice of cuts.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array of findings.")] = False,
) -> None:
    """Look for lookahead: cut candles short, put history in front, ask again, and compare.

    Exit codes: 0 clean, 1 lookahead found, 2 not verified or wrong usage, 3 depends on where its
    history begins.

    Example: mela check sma_cross --params fast=5 --params slow=20
    """
    from cli.strategies.lookahead import judged  # loads the engine

    try:
        code = judged(
            strategy,
            candles,
            params or [],
            interval,
            options=read_options(timezone, columns),
            seed=seed,
            as_json=as_json,
        )
    except MelaError as error:  # exit code 1 would say that lookahead was found
        raise fail(str(error), WRONG_FILE) from error
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        traceback.print_exc()
        raise fail(f"the check failed by itself: {type(error).__name__}", WRONG_FILE) from error
    raise typer.Exit(code)
