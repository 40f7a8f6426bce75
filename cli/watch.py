"""`mela watch` and `mela schedule`: what comes by itself: series to load, scenes to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.console import err, explains, fail, out
from mela.interval import Interval
from mela.run import instant_text
from mela.settings import Settings

watch = typer.Typer(help="Series that the ingestion keeps up to date.", no_args_is_help=True)
schedule = typer.Typer(help="Scenes that are published again and again.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="venue:symbol, loaded once before")]
Length = Annotated[Interval, typer.Option(help="A candle's length.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(watch, name="watch")
    app.add_typer(schedule, name="schedule")


@watch.command("add")
@explains
def watch_add(name: Name, interval: Length) -> None:
    """Let the ingestion load a series every day.

    Example: mela watch add yahoo:AAPL --interval 1d
    """
    from warehouse.database import transaction
    from warehouse.ingestion import instruments

    try:
        with transaction(Settings()) as connection:
            instruments.watch(connection, name, interval)
    except ValueError as error:
        raise fail(f"{error}. Load it: mela ingest {name} --interval {interval} …") from error
    err.print(f"{name} {interval} is watched")


@watch.command("remove")
@explains
def watch_remove(name: Name, interval: Length) -> None:
    """Watch a series no longer; its candles stay."""
    from warehouse.database import transaction
    from warehouse.ingestion import instruments

    with transaction(Settings()) as connection:
        was_there = instruments.unwatch(connection, name, interval)
    if not was_there:
        raise fail(f"{name} {interval} is not watched; `mela watch list` says what is.")
    err.print(f"{name} {interval} is watched no longer")


@watch.command("list")
@explains
def watch_list() -> None:
    """Print the watched series, one a line."""
    from warehouse.database import transaction
    from warehouse.ingestion import instruments

    with transaction(Settings()) as connection:
        watched = instruments.watched(connection)
    for name, interval in watched:
        out.print(f"{name} {interval}", markup=False)
    if not watched:
        err.print("no series is watched: the ingestion loads its defaults.")


@schedule.command("add")
@explains
def schedule_add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    scene_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="SCENE.yaml")],
    span: Annotated[str, typer.Option(help="How far back each scene reaches: 90d, 8w, 6mo, 2y.")],
    every: Annotated[
        str,
        typer.Option(help="complete: at each new candle; or a cron expression in UTC."),
    ] = "complete",
    user: Annotated[str | None, typer.Option(help="Whose scenes they are.")] = None,
) -> None:
    """Publish a scene whenever its candles are complete, up to the newest of them.

    Its start and end give way to the span. Airflow's publish_scenes sends it.
    Example: mela schedule add majors docs/scenes/first.yaml --span 1y --every "0 6 * * 1"
    """
    from cli.scene_file import read_scene
    from warehouse.database import transaction
    from warehouse.scenes import schedules

    settings = Settings()
    scene, _ = read_scene(scene_file, settings)
    try:
        with transaction(settings) as connection:
            schedules.add(connection, name, scene, span, every=every, user=user)
    except ValueError as error:
        raise fail(f"{error}.") from error
    err.print(f"{name} is scheduled")


@schedule.command("remove")
@explains
def schedule_remove(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Publish a scene no longer; those that were published stay."""
    from warehouse.database import transaction
    from warehouse.scenes import schedules

    with transaction(Settings()) as connection:
        was_there = schedules.remove(connection, name)
    if not was_there:
        raise fail(f"no schedule has the name {name}; `mela schedule list` says what there is.")
    err.print(f"{name} is scheduled no longer")


@schedule.command("list")
@explains
def schedule_list() -> None:
    """Print the schedules, and what each published last."""
    from warehouse.database import transaction
    from warehouse.scenes import schedules

    with transaction(Settings()) as connection:
        found = schedules.schedules(connection)
    if not found:
        err.print("no scene is scheduled.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "instruments", "interval", "span", "every", "user", "covered until"):
        table.add_column(column, no_wrap=column != "instruments")
    table.add_column("last scene")
    for one in found:
        last = one.last_covered_until
        table.add_row(
            *(one.name if one.active else f"{one.name} (paused)", " ".join(one.instruments)),
            *(one.interval, one.span, one.every, one.user or "–"),
            *(instant_text(last) if last else "–", str(one.last_scene_id or "–")),
        )
    out.print(table)
