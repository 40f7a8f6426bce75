"""`mela scenes`: the scenes that were published, the newest first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli import completion
from cli.console import err, explains, out
from cli.panels import SCENES
from cli.strategies.catalogue import unknown_sentence
from cli.tables import metric_text
from mela.run import instant_text
from mela.settings import Settings
from services.scenes.scene_states import SceneState

if TYPE_CHECKING:
    from services.scenes.stored_scenes import ListedScene

SHOWN = 20
SHORT = 8  # digits of an id, as any command takes them
MOST_NAMED = 2  # strategies, instruments
WIDE = 130  # columns: below it, the user and the name are left out
AGES = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(scenes)


@explains
def scenes(
    state: Annotated[
        list[SceneState] | None,
        typer.Option(help="Only these; running means received or planned. May be given again."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only those that ask for it.",
            autocompletion=completion.strategies,
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those that this user published.")
    ] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="Only yours: those of the user MELA_USER.")
    ] = False,
    most: Annotated[int, typer.Option("--last", min=1, help="Number of scenes.")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """List the newest scenes: how far each is, and its best result so far.

    Example: mela scenes --state running
    """
    from services.scenes.stored_scenes import list_scenes

    settings = Settings()
    if mine and settings.user is None:
        why = "nobody said who you are. Set MELA_USER, or ask with --user NAME"
        raise typer.BadParameter(why, param_hint="--mine")
    found = list_scenes(
        settings,
        states=state or (),
        strategy=strategy,
        user=settings.user if mine else user,
        most=most,
    )
    if strategy is not None and not found:
        _need_strategy(strategy, settings)
    if as_json:
        out.print(json.dumps([_document(one) for one in found], indent=2), markup=False)
    elif found:
        out.print(_table(found, datetime.now(UTC), out.width))
    else:
        err.print("no such scene. `mela publish SCENE.yaml` publishes one.", markup=False)


def _need_strategy(name: str, settings: Settings) -> None:
    """Raise typer.BadParameter for a strategy that is not known, asking which was meant."""
    from services.strategies.all_strategies import all_strategies  # loads the engine

    catalogue = all_strategies(settings)
    if name not in catalogue:
        raise typer.BadParameter(unknown_sentence(name, catalogue), param_hint="--strategy")


def _table(found: list[ListedScene], now: datetime, width: int) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = ["id", "state", "strategy", "instruments", "interval", "runs", "best", "age"]
    is_wide = width >= WIDE
    for name in [*names, *(["user", "name"] if is_wide else [])]:
        right = name in {"runs", "age"}
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name in {"id", "state", "best"}
        )
    for one in found:
        cells = [
            str(one.scene_id)[:SHORT],
            one.state,
            "training" if one.kind == "train" else _few(one.strategies),
            _few(one.instruments),
            one.interval or "–",
            f"{one.recorded:,}/{one.runs:,}",
            "–" if one.best is None else f"{one.rank_by} {metric_text(one.rank_by, one.best)}",
            age_text(now - one.received_at),
        ]
        last = one.why_rejected or one.name or ""
        table.add_row(*cells, *([one.user or "–", last] if is_wide else []))
    return table


def _few(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "") or "–"


def age_text(age: timedelta) -> str:
    """Return how long something is ago, in its largest unit.

    >>> age_text(timedelta(hours=30)), age_text(timedelta(seconds=7))
    ('1 d', '7 s')
    """
    for unit, name in AGES:
        if age >= unit:
            return f"{age // unit} {name}"
    return f"{max(0, int(age.total_seconds()))} s"


def _document(one: ListedScene) -> dict[str, Any]:
    instants = ("received_at", "planned_at", "finished_at", "cancelled_at")
    return {
        name: _instant(getattr(one, name)) if name in instants else _plain(getattr(one, name))
        for name in type(one).__dataclass_fields__
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, int | float | str) else str(value)
