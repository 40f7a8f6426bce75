"""`mela backtest` and `mela schema`: run a scene and read its format, without services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.candles.candle_file import CANDLES_HELP, COLUMNS_HELP, TIMEZONE_HELP, read_options
from cli.candles.fact_options import NO_FACTS, OF_EACH, Facts, takes_facts
from cli.console import explains, out
from cli.panels import SCENES
from cli.scene_file import SceneFile

FEWEST, MOST = 100, 100_000  # paths of --monte-carlo


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (backtest, schema):
        app.command(rich_help_panel=SCENES)(command)


@explains
@takes_facts(OF_EACH)
def backtest(
    scene_file: SceneFile,
    candles: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help=f"{CANDLES_HELP} Name each file where the scene trades several instruments or "
            "reads others, as binance:BTCUSDT=btc.parquet; may be given again. The warehouse's "
            "candles if left out.",
        ),
    ] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help=TIMEZONE_HELP)] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=NAME,…", help=COLUMNS_HELP)
    ] = None,
    facts: Facts = NO_FACTS,
    strategies: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.py|FOLDER",
            help="Strategies of your own that the scene may name, as `mela check FILE.py` reads.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|models:/NAME@ALIAS",
            help="Model for the scene's strategy `forecast`: a file of `mela model train --out`, "
            "or a registered version, as models:/first@champion or models:/first/2.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one array of results instead of a table.")
    ] = False,
    as_report: Annotated[
        bool,
        typer.Option("--report", help="Print what a search has proved, as one JSON object."),
    ] = False,
    trades: Annotated[
        bool,
        typer.Option(
            "--trades",
            help="Also each trade: of the best run as a table, with --json of every run. Of more "
            "than 20 runs only the best of each instrument has them.",
        ),
    ] = False,
    equity: Annotated[
        bool,
        typer.Option("--equity", help="With --json or --csv, also the equity at each close."),
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            help="Write runs.csv there, with --trades trades.csv, with --equity equity.csv.",
        ),
    ] = None,
    risk_free_rate: Annotated[
        float | None,
        typer.Option(
            min=-0.99, metavar="RATE", help="Per year, instead of the scene's: 0.03 is 3 %."
        ),
    ] = None,
    required_return: Annotated[
        float | None,
        typer.Option(
            min=-0.99, metavar="RATE", help="Per year, instead of the scene's; of sortino, omega."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html|FILE.png",
            help="Draw the best run, and of a search the metric over what it varies most.",
        ),
    ] = None,
    monte_carlo: Annotated[
        int | None,
        typer.Option(
            metavar="PATHS",
            min=FEWEST,
            max=MOST,
            help="Draw the best run's returns and trades again so often: intervals of its numbers, "
            "and with --plot a fan.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of --monte-carlo: the same seed draws the same.")
    ] = 0,
) -> None:
    """Run a scene in this process: the same engine, and nothing is stored.

    Candles come from files, so that no service is needed, or from the warehouse.

    Example: mela backtest docs/scenes/first.yaml --candles btc.parquet --plot first.html
    """
    if monte_carlo and not plot and (as_json or as_report):
        why = "--json and --report print nothing of it; leave them out, or add --plot"
        raise typer.BadParameter(why, param_hint="--monte-carlo")
    if as_report and (trades or equity):
        why = "--report prints no run; leave it out, or take --json or --csv"
        raise typer.BadParameter(why, param_hint="--trades" if trades else "--equity")
    if equity and not (as_json or csv):
        why = "a curve has a value for each candle; add --json or --csv FOLDER"
        raise typer.BadParameter(why, param_hint="--equity")
    terms = {"risk_free_rate": risk_free_rate, "required_return": required_return}
    from cli.scenes.local_run import Wanted, run_locally  # loads the engine

    run_locally(
        scene_file,
        candles or (),
        Wanted(as_json, as_report, plot, monte_carlo, seed, trades, equity, csv),
        read_options(timezone, columns, facts),
        {name: value for name, value in terms.items() if value is not None},
        strategies,
        model,
    )


@explains
def schema(
    what: Annotated[Literal["scene", "result"], typer.Argument(help="The kind of message.")],
) -> None:
    """Print the JSON Schema of a scene or a result."""
    from mela.schemas import json_schema  # loads NumPy

    out.print(json.dumps(json_schema(what), indent=2), markup=False)
