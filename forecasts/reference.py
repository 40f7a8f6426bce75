"""The names of a model: asked for by alias or version, and pinned to the file by its SHA-256.

Asked for: `models:/first@champion`, `models:/first/3`. Pinned: `models:/first/3#` and 64 digits.
A run always has a pinned model; the digits alone decide which file it is, the name is for readers.

>>> parse_asked("models:/first@champion")
Asked(name='first', which='champion')
>>> parse_pinned("models:/first/3#" + "0" * 64).version
3
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mela.errors import InputInvalid

SCHEME = "models:/"
FILE = "file:"
_WORD = r"[^/@#\s]+"
_ASKED = re.compile(rf"models:/({_WORD})[@/]({_WORD})")
_PINNED = re.compile(
    rf"(?:models:/(?P<name>{_WORD})/(?P<version>[1-9]\d{{0,8}})|file:[^#\s/]+)"
    r"#(?P<sha>[0-9a-f]{64})"
)


class Asked(NamedTuple):
    """A model by its name, and a version by its number or alias."""

    name: str
    which: str


class Pinned(NamedTuple):
    """A reference to one file. name, version: None for a file that no registry has."""

    text: str
    sha: str
    name: str | None
    version: int | None


def is_pinned(reference: str) -> bool:
    """Tell whether a reference says which file it means."""
    return _PINNED.fullmatch(reference) is not None


def parse_pinned(reference: str) -> Pinned:
    """Return what a pinned reference says. Raises InputInvalid for any other."""
    found = _PINNED.fullmatch(reference)
    if found is None:
        raise InputInvalid(
            None,
            f"expected a model with its SHA-256, as {SCHEME}first/3#<64 digits>, but found "
            f"{reference!r:.200}. `mela model list` shows what there is.",
        )
    version = found["version"]
    return Pinned(reference, found["sha"], found["name"], int(version) if version else None)


def parse_asked(reference: str) -> Asked:
    """Return which version is asked for. Raises InputInvalid."""
    found = _ASKED.fullmatch(reference)
    if found is None:
        raise InputInvalid(
            None,
            f"expected {SCHEME}NAME@ALIAS or {SCHEME}NAME/VERSION, but found {reference!r:.200}; "
            "`mela model list` shows what there is",
        )
    return Asked(*found.groups())


def pinned(name: str, version: int, sha: str) -> str:
    """Return the pinned reference of a registered version."""
    return f"{SCHEME}{name}/{version}#{sha}"


def pinned_file(name: str, sha: str) -> str:
    """Return the reference of a file that no registry has."""
    plain = re.sub(r"[#/\s]", "_", name)
    return f"{FILE}{plain}#{sha}"
