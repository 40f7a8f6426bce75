"""`mela mcp`: let assistants ask, over the Model Context Protocol on standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import WRONG_QUESTION, explains, fail
from cli.panels import SCENES
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(mcp)


@explains
def mcp(
    url: Annotated[
        str | None, typer.Option(help="Address of the API. MELA_API__URL if left out.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A file that holds a personal token, and nothing else. MELA_API__TOKEN if left "
            "out.",
        ),
    ] = None,
) -> None:
    """Serve assistants on standard input and output, with the rights of a personal token.

    An assistant's program starts it: see docs/assistants.md.
    """
    api = Settings().api
    token = api.token.get_secret_value()
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
    if not token:
        raise fail(
            "no token was given: make one on the page Account, and put it into a file for "
            "--token-file, or into MELA_API__TOKEN.",
            WRONG_QUESTION,
        )
    from client.assistants.server import build_server  # loads the client and the protocol
    from client.client import Client

    with Client(url or api.url, token, progress="none") as client:
        build_server(client).run("stdio")
