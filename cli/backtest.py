"""`mela backtest` and `mela schema`: what an author needs, without any service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backtests import local
from backtests.caveats import NO_OUT_OF_SAMPLE, NO_OUT_OF_SAMPLE_SAID, lacks_out_of_sample
from backtests.simulate import run_all
from backtests.strategies import refresh
from cli.candle_file import reader_of_files
from cli.console import err, explains, out
from cli.monte_carlo import FEWEST, MOST, fan_of, monte_carlo_table, resampled
from cli.plot import kind_of, write_picture
from cli.report import report_table
from cli.scene_file import scene_of
from cli.tables import SHOWN, results_table
from mela.messages import read_stored_run
from mela.result import rank
from mela.scene import Scene
from mela.schemas import Document, json_schema
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(backtest)
    app.command()(schema)


@explains
def backtest(
    scene_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="SCENE.yaml")],
    candles: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FILE",
            help="Parquet with columns open_time (UTC), open, high, low, close, volume; prices are "
            "taken as they are. One file stands for every instrument of the scene that none is "
            "named for, as binance:BTCUSDT=btc.parquet; may be given again.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one array of results instead of a table.")
    ] = False,
    as_report: Annotated[
        bool,
        typer.Option("--report", help="Print what a search has proved, as one JSON object."),
    ] = False,
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
        int, typer.Option(min=0, help="Of --monte-carlo: the same seed draws the same.")
    ] = 0,
) -> None:
    """Run a scene in this process on candles of files: the same engine, no service needed.

    Example: mela backtest docs/scenes/first.yaml --candles btc.parquet --plot first.html
    """
    settings = Settings()
    kind = kind_of(plot) if plot else None
    scene = scene_of(scene_file)
    if plot and scene.mode == "together":
        raise typer.BadParameter("no picture shows several instruments", param_hint="--plot")
    if monte_carlo:
        _check_monte_carlo(scene, is_shown=bool(plot) or not (as_json or as_report))
    catalogue = refresh(settings.packages)
    plan = local.check(scene, catalogue, max_runs=settings.max_runs)
    bench = local.Bench(reader_of_files(candles), catalogue)
    done = local.execute(scene, plan, bench)
    best = rank(done.documents, scene.rank_by)
    if as_report:
        out.print(json.dumps(local.conclude(scene, best, bench), indent=2), markup=False)
    elif as_json:
        out.print(json.dumps(done.documents, indent=2), markup=False)
    else:
        _show(best, scene, done.skipped, local.conclude(scene, best, bench))
    if not plot and not monte_carlo:
        return
    winner = read_stored_run(best[0], catalogue)
    candles_of_it = bench.candles_of(winner)
    (outcome,) = run_all(candles_of_it, [winner], with_curve=True, catalogue=catalogue)
    fan = None
    if monte_carlo:
        drawn = resampled(outcome, candles_of_it, paths=monte_carlo, seed=seed)
        fan = fan_of(drawn) if plot else None
        if not as_json and not as_report:
            out.print(monte_carlo_table(drawn))
    if plot and kind:
        write_picture(plot, kind, candles_of_it, outcome, scene, best, fan)


def _check_monte_carlo(scene: Scene, *, is_shown: bool) -> None:
    hint = "--monte-carlo"
    if scene.mode == "together":
        said = "it resamples runs of one instrument, and this scene trades several together"
        raise typer.BadParameter(said, param_hint=hint)
    if not is_shown:
        said = "--json and --report print nothing of it; leave them out, or add --plot"
        raise typer.BadParameter(said, param_hint=hint)


def _show(
    best: Sequence[Mapping[str, Any]],
    scene: Scene,
    skipped: int,
    report: Mapping[str, Any] | None,
) -> None:
    title = f"{len(best)} runs, {skipped} skipped, best by {scene.rank_by}"
    out.print(results_table(best[:SHOWN], title=title, best=scene.rank_by, width=out.width))
    if report is not None:
        out.print(report_table(report))
    warned = sorted({warning for row in best for warning in row["warnings"]})
    if warned:
        err.print(f"warnings: {', '.join(warned)}")
    if best and lacks_out_of_sample(scene.content(), len(best)):
        err.print(f"{NO_OUT_OF_SAMPLE}: {NO_OUT_OF_SAMPLE_SAID}")


@explains
def schema(
    what: Annotated[Document, typer.Argument(help="Which message.")],
) -> None:
    """Print the JSON Schema of a scene (what is published) or a result (what comes back)."""
    out.print(json.dumps(json_schema(what), indent=2), markup=False)
