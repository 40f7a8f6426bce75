"""`mela ask`: ready questions to the star schema."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli import completion
from cli.console import err, explains, out
from cli.panels import WAREHOUSE
from mela.counts import counted
from mela.errors import InputInvalid, MelaError
from mela.settings import Settings

if TYPE_CHECKING:
    from warehouse.questions import Answer, Freshness


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=WAREHOUSE)(ask)


@explains
def ask(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A question's name. Without it: list all.", autocompletion=completion.questions
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Write CSV, for a program to read.")
    ] = False,
) -> None:
    """Ask the star schema a ready question.

    Example: mela ask best_by_regime --set interval=1d
    """
    from services.questions import ask_question

    if name is None:
        _list()
        return
    given = dict(_pair(value) for value in values or ())
    try:
        answer = ask_question(name, given, Settings())
    except InputInvalid as error:
        raise typer.BadParameter(str(error)) from error
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    else:
        out.print(_table(answer))
    _tell(answer.freshness)


def _tell(freshness: Freshness) -> None:
    """Say how old the star is, and how to build it if it lacks results."""
    if freshness.as_of is None:
        err.print("the star holds no result yet.")
    else:
        err.print(f"as of {freshness.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC, its newest result.")
    if freshness.lacking:
        err.print(
            f"{counted(freshness.lacking, 'newer answer')} of scenes "
            f"{'is' if freshness.lacking == 1 else 'are'} not in the star yet: `mela dbt build` "
            "brings them in, as Airflow's build_marts does after changed candles and each night.",
            style="yellow",
        )


def _list() -> None:
    from services.questions import list_questions

    for question in list_questions():
        out.print(f"[bold]{question.name}[/]  {question.asks}")
        for one in question.parameters:
            out.print(f"    --set {one.name}={one.default}  {one.says}", markup=False)


def _pair(value: str) -> tuple[str, str]:
    name, found, text = value.partition("=")
    if not found:
        raise MelaError(f"expected NAME=VALUE after --set, but found {value!r}")
    return name, text


def _table(answer: Answer) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(answer.columns):
        is_number = any(isinstance(row[place], int | float) for row in answer.rows)
        table.add_column(column, justify="right" if is_number else "left")
    for row in answer.rows:
        table.add_row(*map(_spelled, row))
    return table


def _spelled(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
