"""Ready-made questions to the star schema, one in each file `queries/NAME.sql`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from mela.errors import MelaError
from mela.name_suggestions import did_you_mean

_PARAMETER = re.compile(r"^(?P<name>[a-z_]+) = (?P<default>\S+): (?P<says>.+)$")
_UNDEFINED_TABLE = "42P01"
# An answer is in the star by the pair that names it; only a build brings it there.
_FRESHNESS = text("""
    SELECT (SELECT max(computed_at) FROM marts.fct_run),
           (SELECT count(*) FROM ops.scene_run a
            WHERE a.result_key IS NOT NULL AND NOT EXISTS (
                SELECT FROM marts.fct_run f
                WHERE f.scene_key = a.scene_id AND f.run_key = a.run_key))
""")


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


class Freshness(NamedTuple):
    """The age of the star against the results.

    as_of: when the newest result in the star was computed; None if there is none
    lacking: how many answers of scenes came after the star's last build, and are not in it
    """

    as_of: datetime | None
    lacking: int


class Answer(NamedTuple):
    """The columns and rows of an answer, and how fresh the star is that gave it."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    freshness: Freshness


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
        suggestion = did_you_mean(name, known)
        raise ValueError(f"expected one of {', '.join(known)}, but found {name}{suggestion}")
    question = known[name]
    filled = {one.name: one.default for one in question.parameters}
    unknown = sorted(set(values or {}) - set(filled))
    if unknown:
        takes = ", ".join(filled) or "no parameter"
        suggestion = did_you_mean(unknown[0], filled)
        raise ValueError(f"{name} takes {takes}, but found {', '.join(unknown)}{suggestion}")
    try:
        found = connection.execute(text(question.sql), {**filled, **(values or {})})
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _UNDEFINED_TABLE:
            raise
        raise MelaError(
            "the star is not built yet: `mela dbt build` builds it, as does Airflow's build_marts"
        ) from error
    columns, rows = list(found.keys()), [tuple(row) for row in found]
    return Answer(columns, rows, freshness(connection))


def freshness(connection: Connection) -> Freshness:
    """Return how far the star, which must have been built, follows the warehouse."""
    return Freshness(*connection.execute(_FRESHNESS).one())


def _read(name: str, content: str) -> Question:
    comment: list[str] = []
    for line in content.splitlines():
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    matched = [match for line in comment if (match := _PARAMETER.match(line))]
    parameters = [Parameter(**match.groupdict()) for match in matched]
    return Question(name, comment[0], parameters, content)
