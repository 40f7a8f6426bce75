"""Make commands out of what a page shows as a form: `mela results SCENE_ID [--json]`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import typer

from cli.main import app
from tests.docs.pages import Command

ROOT: Any = typer.main.get_command(app)

OPTIONAL = re.compile(r"\s*\[([^\[\]]+)\]")
SYMBOLS = ("AAPL", "SPY", "XNYS", "USD")
PLACE = re.compile(r"[A-Z][A-Z_]+(\.[a-z]+)?|[A-Z]")


def spelled_out(form: str) -> list[str]:
    """Return a form with none of its optional parts, and with all of them."""
    with_all = OPTIONAL.sub(r" \1", form)
    return list(dict.fromkeys([OPTIONAL.sub("", form), with_all]))


def filled_in(command: str, values: Mapping[str, str]) -> list[str]:
    """Return the words of a command with a value in each place that the reader fills in.

    values: a place, as SCENE_ID or SCENE.yaml, or a word of an example → what is typed there
    Raises ValueError where a place has none.
    """
    words = [_value(word, values) for word in shlex.split(command)]
    return [word for word in words if word]


def _value(word: str, values: Mapping[str, str]) -> str:
    if word in values:
        return values[word]
    if PLACE.fullmatch(word) and word not in SYMBOLS:
        known = ", ".join(values)
        raise ValueError(f"expected one of the places {known}, found {word}")
    return word


def named(command: Command) -> tuple[Any, list[str]]:
    """Return the command of `mela` that a text begins with, and the words behind its name.

    Raises ValueError where there is none of that name.
    """
    found, words = ROOT, re.sub(r"[\[\]]", "", command.words).split()[1:]
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        first, *others = words.pop(0).split("|")
        if not {first, *others} <= set(found.commands):
            raise ValueError(f"{command.place}: expected a command of mela, found {command.text!r}")
        found = found.commands[first]
    return found, words


def is_only_named(command: Command) -> bool:
    """Say whether a text speaks of a command, rather than tells to type it.

    A sentence does; a table does where it leaves out what the command needs.
    """
    if command.within == "a table":
        found, words = named(command)
        return not words and any(parameter.required for parameter in found.params)
    return command.within == "a sentence"
