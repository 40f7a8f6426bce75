"""Make commands out of what a page shows as a form: `mela results SCENE_ID [--json]`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

OPTIONAL = re.compile(r"\s*\[([^\[\]]+)\]")
SYMBOLS = ("AAPL", "SPY")
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
