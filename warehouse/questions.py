"""Ready-made questions to the star schema, one in each file `queries/NAME.sql`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from mela.errors import MelaError

_PARAMETER = re.compile(r"^(?P<name>[a-z_]+) = (?P<default>\S+): (?P<says>.+)$")
_UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value that a question takes."""

    name: str
    default: str
    says: str


@dataclass(frozen=True, slots=True)
class Question:
    """A file of queries/: its first line asks, and `-- name = default: …` is a parameter."""

    name: str
    asks: str
    parameters: Sequence[Parameter]
    sql: str


class Answer(NamedTuple):
    """The columns and rows of an answer."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def questions() -> dict[str, Question]:
    """Return the ready-made questions by name."""
    folder = files("warehouse") / "queries"
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {
        name.removesuffix(".sql"): _read(name.removesuffix(".sql"), (folder / name).read_text())
        for name in found
    }


def ask(connection: Connection, name: str, values: Mapping[str, str] | None = None) -> Answer:
    """Return the answer to a ready-made question.

    values: parameters by name; missing ones take their defaults
    Raises ValueError for an unknown question or parameter, and MelaError if the star is not built.
    """
    known = questions()
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}, but found {name}")
    question = known[name]
    filled = {one.name: one.default for one in question.parameters}
    unknown = sorted(set(values or {}) - set(filled))
    if unknown:
        takes = ", ".join(filled) or "no parameter"
        raise ValueError(f"{name} takes {takes}, but found {', '.join(unknown)}")
    try:
        found = connection.execute(text(question.sql), {**filled, **(values or {})})
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _UNDEFINED_TABLE:
            raise
        raise MelaError(
            "the star is not built yet: `mela dbt build` builds it, as does Airflow's build_marts"
        ) from error
    return Answer(list(found.keys()), [tuple(row) for row in found])


def _read(name: str, content: str) -> Question:
    comment: list[str] = []
    for line in content.splitlines():
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    matched = [match for line in comment if (match := _PARAMETER.match(line))]
    parameters = [Parameter(**match.groupdict()) for match in matched]
    return Question(name, comment[0], parameters, content)
