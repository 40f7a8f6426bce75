"""`mela backtest` and `mela schema`: what an author needs, without any service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from backtests.caveats import NO_OUT_OF_SAMPLE, NO_OUT_OF_SAMPLE_SAID, lacks_out_of_sample
from backtests.simulate import provenance
from cli.candle_file import read_candles
from cli.candle_files import execute, files_of
from cli.console import err, explains, out
from cli.plot import kind_of, write_picture
from cli.scene_file import read_scene
from cli.tables import SHOWN, results_table
from mela.result import Result, rank, result_document
from mela.run import Run
from mela.scene import Scene
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
            help="Parquet with columns open_time (UTC), open, high, low, close, volume. It stands "
            "for every instrument of the scene, or for the one that is named before it (then the "
            "option may be repeated); prices are taken as they are.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one array of results instead of a table.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html|FILE.png",
            help="Draw the best run, and of a search the metric over what it varies most.",
        ),
    ] = None,
) -> None:
    """Run a scene in this process on candles of a file: the same engine, no service needed.

    Example: mela backtest docs/scenes/first.yaml --candles btc.parquet --plot first.html
    """
    settings = Settings()
    kind = kind_of(plot) if plot else None
    scene, plan = read_scene(scene_file, settings)
    if plot and scene.mode == "together":
        raise typer.BadParameter("no picture shows several instruments", param_hint="--plot")
    files = files_of(candles, scene.instruments)
    series: dict[tuple[tuple[str, ...], str], list[Run]] = {}
    documents: list[dict[str, Any]] = []
    for run in plan.expand():
        series.setdefault((run.instruments, run.interval.value), []).append(run)
    for runs in series.values():
        for outcome in execute(runs, files):
            made_with = provenance(outcome.run.strategy, None)
            documents.append(result_document(outcome, made_with, scene_id=None))
    best = rank(documents, scene.rank_by)
    if as_json:
        out.print(json.dumps(documents, indent=2), markup=False)
    else:
        _show(best, scene, plan.skipped)
    if plot and kind:
        drawn = [run for runs in series.values() for run in runs]
        winner = next(run for run in drawn if run.run_key == best[0]["run_key"])
        read = read_candles(files[winner.instrument], winner.instrument, winner.interval)
        write_picture(plot, kind, read, winner, scene, best)


def _show(best: Sequence[Mapping[str, Any]], scene: Scene, skipped: int) -> None:
    title = f"{len(best)} runs, {skipped} skipped, best by {scene.rank_by}"
    out.print(results_table(best[:SHOWN], title=title, best=scene.rank_by, width=out.width))
    warned = sorted({warning for row in best for warning in row["warnings"]})
    if warned:
        err.print(f"warnings: {', '.join(warned)}")
    if best and lacks_out_of_sample(scene.content(), len(best)):
        err.print(f"{NO_OUT_OF_SAMPLE}: {NO_OUT_OF_SAMPLE_SAID}")


@explains
def schema(
    what: Annotated[Literal["scene", "result"], typer.Argument(help="Which message.")],
) -> None:
    """Print the JSON Schema of a scene (what is published) or a result (what comes back)."""
    model = Scene if what == "scene" else Result
    body = model.model_json_schema(by_alias=True)
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}
    out.print(json.dumps(body, indent=2), markup=False)
