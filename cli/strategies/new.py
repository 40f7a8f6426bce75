"""`mela new strategy`: begin a strategy of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import WRONG_QUESTION, explains, fail, out
from cli.panels import STRATEGIES
from mela.errors import InputInvalid
from mela.settings import Settings

new = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(new, name="new", help="Begin something of your own.", rich_help_panel=STRATEGIES)


@new.command()
@explains
def strategy(
    name: Annotated[str, typer.Argument(help="Name of the function, as my_idea.")],
) -> None:
    """Write a strategy that works, and its test, into the packages of this stack.

    The running stack takes it up without a restart.

    Example: mela new strategy my_idea
    """
    from services.strategies.new_strategy import write_strategy  # loads the engine

    try:
        written = write_strategy(name, Settings())
    except InputInvalid as error:
        raise fail(str(error), WRONG_QUESTION) from error
    out.print(f"strategy  {written.source}", markup=False)
    out.print(f"test      {written.test}", markup=False)
    out.print()
    for next_step in (
        f"mela check {name}              # does it look ahead?",
        f"mela strategies {name}         # its parameters, and a scene that names it",
        f"python -m pytest {written.test}",
    ):
        out.print(f"  {next_step}", markup=False)
