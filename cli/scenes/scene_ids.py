"""A scene on the command line: its id, the first digits of it, or `last`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from cli import completion
from cli.console import WRONG_QUESTION, fail
from mela.errors import InputInvalid
from mela.settings import Settings

HELP = "As `mela publish` printed it, its first digits, or `last`."
SceneId = Annotated[
    str,
    typer.Argument(metavar="SCENE_ID", help=HELP, autocompletion=completion.scene_ids),
]


def scene_id_of(text: str, settings: Settings) -> UUID:
    """Return the id that somebody means. Raises NotFound, typer.Exit where it is no id."""
    from services.scenes import stored_scenes

    try:
        return stored_scenes.scene_id_of(text, settings)
    except InputInvalid as error:
        raise fail(str(error), WRONG_QUESTION) from error
