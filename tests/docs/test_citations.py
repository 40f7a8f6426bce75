"""Each file and page that code, a page or a test cites is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mela.settings import REPOSITORY

ROOMS = sorted(path.name for path in REPOSITORY.iterdir() if (path / "__init__.py").exists())
FOLDERS = (*ROOMS, "docs", "dags", "dbt", "benchmarks", "requirements")
# A path from the repository's root, as `docs/metrics.md`; no part of a longer one or of an address.
CITED = re.compile(
    rf"(?<![\w/.:<{{*-])(?:{'|'.join(FOLDERS)})/[\w/.-]+\.(?:md|py|sql|sh)\b(?!\.\w)"
)
RULES = re.compile(r"\b(?:CONTRACT|STYLE|DESIGN)(?:\.md|(?= section| \d))")
# History keeps the names of its time; a test of citations cites what is not there.
APART = (
    "CHANGELOG.md",
    "docs/decisions/",
    "warehouse/schema/migrations/versions/",
    "tests/docs/test_citations.py",
    "tests/docs/test_promises.py",
)
READ = {".py", ".md", ".sql", ".yml", ".yaml", ".toml", ".sh", ""}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    there = [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]
    return [name for name in there if Path(name).suffix in READ and not name.startswith(APART)]


def is_there(path: str, cited_in: str) -> bool:
    """Tell whether a path is a file from the root, from the folder of who cites it, or a page.

    The site names its pages from docs/, where `api/` is another folder than the room.
    """
    places = (REPOSITORY, (REPOSITORY / cited_in).parent, REPOSITORY / "docs")
    return any((place / path).exists() for place in places)


def test_every_file_that_is_cited_is_there() -> None:
    missing = [
        f"{name} cites {path}"
        for name in tracked()
        for path in CITED.findall((REPOSITORY / name).read_text(encoding="utf-8"))
        if not is_there(path, name)
    ]
    assert not missing, "\n".join(missing)


def test_no_rule_is_cited_that_is_not_in_the_repository() -> None:
    cited = [
        f"{name} cites {found.group()}"
        for name in tracked()
        for found in RULES.finditer((REPOSITORY / name).read_text(encoding="utf-8"))
    ]
    assert not cited, "\n".join(cited)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see docs/metrics.md.", ["docs/metrics.md"]),
        ("`tests/docs/pages.py::read`", ["tests/docs/pages.py"]),
        ("(../docs/metrics.md)", []),
        ("https://example.org/docs/metrics.md", []),
    ],
)
def test_what_is_a_citation(text: str, found: list[str]) -> None:
    assert CITED.findall(text) == found
