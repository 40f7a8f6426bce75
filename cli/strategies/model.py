"""`mela model`: train models of forecasts, list and show them, and say which one is champion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.candles.candle_file import CANDLES_HELP, reader_of_files
from cli.console import err, explains, out
from cli.panels import STRATEGIES
from cli.scene_file import read_document
from cli.strategies.trainings import in_words, publish_training
from mela.candles import Candles
from mela.instants import instant_text
from mela.interval import Interval
from mela.settings import Settings
from mela.training import KIND, parse_training

if TYPE_CHECKING:
    from services.models.models import Read
    from warehouse.model_versions import StoredVersion

models = typer.Typer(
    help="Train models that forecast, and say which one is champion.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="of the model, as its file has it")]
TrainingFile = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, metavar="TRAINING.yaml", help="YAML or JSON."),
]
CandleFiles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FILE",
        help=f"{CANDLES_HELP} The warehouse's candles if left out.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(models, name="model", rich_help_panel=STRATEGIES)


@models.command("train")
@explains
def train(
    training_file: TrainingFile,
    candles: CandleFiles = None,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            file_okay=False,
            help="Write model, report and card here, and register nothing: no service is asked.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Show how far it is; print the report at the end."),
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(help="Who asks for it; a new name becomes a user. MELA_USER if left out."),
    ] = None,
) -> None:
    """Train a model without leaks, judge it beside a linear one, and register it in MLflow.

    The training is published as a scene, and its id printed; with --follow its report, too. With
    --candles or --out it runs in this process instead.
    Example: mela model train docs/models/first.yaml --follow
    """
    from services.models import models as use

    settings, document = Settings(), read_document(training_file)
    training = parse_training(document)
    if candles is None and out_folder is None:
        publish_training({"kind": KIND, **document}, settings, follow=follow, user=user)
        return
    read = _read_files(candles, training.instruments) if candles else None
    say = _say if follow else _hush
    if out_folder is not None:
        done = use.train_to_folder(training, out_folder, settings, read=read, say=say)
        out.print(done.report, markup=False)
        err.print(f"{out_folder / use.FILES[0]}, SHA-256 {done.sha}", markup=False)
        return
    done, version = use.train(training, settings, read=read, say=say)
    out.print(done.report, markup=False)
    aliases = f", {' and '.join(version.aliases)}" if version.aliases else ""
    err.print(f"{_uri(version)}{aliases}, SHA-256 {version.sha}", markup=False)
    if "champion" not in version.aliases:
        remark = f"`mela model promote {version.name} {version.version}` makes it the champion"
        err.print(remark, markup=False)


@models.command("check")
@explains
def check(training_file: TrainingFile, candles: CandleFiles = None) -> None:
    """Look for leaks in a training: change what it must not see, and compare. It trains nothing.

    Later candles, and samples outside of each training part, are replaced; features, known labels
    and what each training part learns must stay. Exit codes: 0 clean, 1 a leak was found or an
    error, 2 nothing could be compared.

    Example: mela model check docs/models/first.yaml
    """
    from cli.strategies.lookahead import CODES, COLOURS
    from services.models import models as use

    training = parse_training(read_document(training_file))
    read = _read_files(candles, training.instruments) if candles else None
    found = use.check(training, Settings(), read=read)
    for leak in found.leaks:
        out.print(f"{leak.kind}: {leak.sentence}", markup=False)
    word = {0: "clean", 1: "leaks found"}.get(CODES[found.verdict], "not verified")
    compared = f"{found.samples:,} samples, {found.splits} splits, {found.cuts} cuts of the candles"
    out.print(f"[{COLOURS[found.verdict]}]{word}[/]: {compared}")
    raise typer.Exit(CODES[found.verdict])


@models.command("list")
@explains
def listed(
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """List the versions of all models, the newest of each first, and trainings under way."""
    from services.models import models as use
    from services.scenes.trainings import under_way

    settings = Settings()
    found = use.listed(settings)
    if as_json:
        out.print(json.dumps([_plain(one) for one in found], indent=2), markup=False)
        return
    for state in under_way(settings):
        err.print(f"{in_words(state)} ({state.scene_id})", markup=False)
    if not found:
        err.print("none is registered; `mela model train TRAINING.yaml` trains one")
        return
    table = Table()
    for column in ("model", "version", "aliases", "kind", "trained through", "rank IC", "Sharpe"):
        table.add_column(column)
    for one in found:
        scores = [_score(one.scores, name) for name in ("rank_ic", "sharpe")]
        through = instant_text(one.trained_through)
        aliases = ", ".join(one.aliases)
        table.add_row(one.name, str(one.version), aliases, one.kind, through, *scores)
    out.print(table)


@models.command("show")
@explains
def show(
    name: Name,
    version: Annotated[
        str, typer.Option(metavar="NUMBER|ALIAS", help="champion, challenger, or a number.")
    ] = "champion",
    as_report: Annotated[
        bool, typer.Option("--report", help="Print the report of its training instead.")
    ] = False,
) -> None:
    """Print a version's model card; its file is verified by its SHA-256."""
    from services.models import models as use

    found = use.shown(Settings(), name, version)
    out.print(found.report if as_report else found.card, markup=False)
    aliases = f", {' and '.join(found.version.aliases)}" if found.version.aliases else ""
    err.print(f"{_uri(found.version)}{aliases}, SHA-256 {found.version.sha}", markup=False)


@models.command("promote")
@explains
def promote(
    name: Name, version: Annotated[int, typer.Argument(metavar="VERSION", help="its number")]
) -> None:
    """Make a version the champion; to roll back, promote the older one. Needs the role trader.

    Example: mela model promote first 2
    """
    from services.models import models as use
    from services.trading.callers import at_this_machine

    settings = Settings()
    done = use.promote(settings, at_this_machine(settings), name, version)
    now, before = done.version, done.before
    instead = f" instead of {before.version}" if before and before.version != now.version else ""
    err.print(f"{_uri(now)} is champion{instead}", markup=False)
    if not done.in_mlflow:
        err.print("MLflow did not answer, and shows it once this is said again", markup=False)


def _uri(version: StoredVersion) -> str:
    return f"models:/{version.name}/{version.version}"


def _plain(version: StoredVersion) -> dict[str, Any]:
    """Return a version as JSON values."""
    values = asdict(version)
    for name in ("trained_through", "registered_at"):
        values[name] = instant_text(values[name])
    return values | {"scene_id": values["scene_id"] and str(values["scene_id"])}


def _read_files(files: list[str], instruments: tuple[str, ...]) -> Read:
    whole: Callable[[str, Interval], Candles] = reader_of_files(files, instruments)

    def read(instrument: str, interval: Interval, _before: int) -> tuple[Candles, int | None]:
        return whole(instrument, interval), None

    return read


def _say(what: str) -> None:
    err.print(what, markup=False)


def _hush(_what: str) -> None:
    return


def _score(scores: object, name: str) -> str:
    found = scores.get(name) if isinstance(scores, dict) else None
    return "–" if found is None else f"{found:.4f}"
