"""`mela watch` and `mela schedule`: series to load each day, and scenes to publish again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cli import completion
from cli.choices import interval_option
from cli.console import err, explains, out
from cli.panels import CANDLES, SCENES
from cli.scene_file import SceneFile, read_document
from mela.interval import Interval
from mela.run import instant_text
from mela.settings import Settings

watch = typer.Typer(help="Edit the list of series that are loaded daily.", no_args_is_help=True)
schedule = typer.Typer(help="Edit the list of scenes that are repeated.", no_args_is_help=True)
Name = Annotated[
    str,
    typer.Argument(
        metavar="INSTRUMENT",
        help="venue:symbol, loaded once before",
        autocompletion=completion.instruments,
    ),
]
Length = Annotated[Interval, interval_option("A candle's length.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(watch, name="watch", rich_help_panel=CANDLES)
    app.add_typer(schedule, name="schedule", rich_help_panel=SCENES)


@watch.command("add")
@explains
def watch_add(name: Name, interval: Length) -> None:
    """Load a series every day.

    Example: mela watch add yahoo:AAPL --interval 1d
    """
    from services.candles.watchlist import watch_series

    dropped = watch_series(name, interval, Settings())
    err.print(f"{name} {interval} is watched")
    if dropped:
        err.print(
            "the list was empty until now, and the daily ingestion loaded its defaults: from now "
            "on it loads this series alone. To keep the defaults:"
        )
        for one in dropped:
            err.print(f"  mela watch add {one.instrument} --interval {one.interval}", markup=False)


@watch.command("remove")
@explains
def watch_remove(name: Name, interval: Length) -> None:
    """Stop loading a series every day; its candles stay."""
    from services.candles.watchlist import list_watched, unwatch_series

    unwatch_series(name, interval, Settings())
    err.print(f"{name} {interval} is watched no longer")
    if not list_watched(Settings()):
        err.print("the list is empty: the daily ingestion loads its defaults (`mela watch list`).")


@watch.command("list")
@explains
def watch_list() -> None:
    """Print the watched series, one a line."""
    from services.candles.watchlist import defaults, list_watched

    watched = list_watched(Settings())
    for one in watched:
        out.print(f"{one.instrument} {one.interval}", markup=False)
    if not watched:
        err.print("no series is watched; the daily ingestion loads its defaults:")
        for one in defaults():
            err.print(f"  {one.instrument} {one.interval}", markup=False)


@schedule.command("add")
@explains
def schedule_add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    scene_file: SceneFile,
    span: Annotated[str, typer.Option(help="Length of each scene: 90d, 8w, 6mo, 2y.")],
    every: Annotated[
        str,
        typer.Option(help="complete: at each new candle; or a cron expression in UTC."),
    ] = "complete",
    user: Annotated[
        str | None, typer.Option(help="Owner of the scenes. MELA_USER if left out.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Only this user sees the schedule and its scenes.")
    ] = False,
) -> None:
    """Publish a scene whenever its candles are complete, up to the newest of them.

    The span replaces the scene's start and end. Airflow's publish_scenes publishes it.
    Example: mela schedule add majors docs/scenes/first.yaml --span 1y --every "0 6 * * 1"
    """
    from services.scenes.schedules import add_schedule

    document, settings = read_document(scene_file), Settings()
    whose = user or settings.user
    add_schedule(
        name, document, span, settings, every=every, user=whose, is_private=private or None
    )
    err.print(f"{name} is scheduled")


@schedule.command("remove")
@explains
def schedule_remove(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Stop publishing a scene; scenes that were published stay."""
    from services.scenes.schedules import remove_schedule

    remove_schedule(name, Settings())
    err.print(f"{name} is scheduled no longer")


@schedule.command("list")
@explains
def schedule_list() -> None:
    """Print the schedules, each with the scene that it published last and what it waits for."""
    from services.scenes.schedules import list_schedules

    found = list_schedules(Settings())
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
    for one in found:
        waits = f"not due: {one.waits_for}" if one.waits_for else "due: published within the hour"
        out.print(f"{one.name}: {waits}.", markup=False)
