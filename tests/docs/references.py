"""What may be named as a proof: a test, a row of the benchmarks, a job of a workflow."""

from __future__ import annotations

import ast
import json
import re
from functools import lru_cache

import yaml

from mela.settings import REPOSITORY

TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
JOB = re.compile(r"([\w-]+\.yml): ([\w-]+)")


def fault(reference: str) -> str | None:
    """Return why a reference proves nothing; None where what it names is there."""
    if test := TEST.fullmatch(reference):
        return _fault_of_test(*test.groups())
    if job := JOB.fullmatch(reference):
        return None if job[2] in jobs(job[1]) else f"expected a job of a workflow: {reference}"
    known = reference in rows()
    return None if known else f"expected tests/….py::name, workflow.yml: job or a row: {reference}"


def _fault_of_test(file: str, name: str | None) -> str | None:
    found = tests_of(file)
    if not found:
        return f"expected a file with tests, found none: {file}"
    if name is None or name in found:
        return None
    return f"{file} has no test {name}; it has {', '.join(sorted(found))}"


@lru_cache
def tests_of(file: str) -> frozenset[str]:
    """Return the names of a file's tests, as pytest would collect them, without running it."""
    path = REPOSITORY / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    named = (node.name for node in body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in named if name.startswith("test_"))


@lru_cache
def rows() -> frozenset[str]:
    """Return the names of the benchmarks' rows, of the whole run that was kept."""
    kept = REPOSITORY / "benchmarks" / "results" / "latest.json"
    return frozenset(row["name"] for row in json.loads(kept.read_text(encoding="utf-8")))


@lru_cache
def jobs(workflow: str) -> frozenset[str]:
    """Return the jobs of a workflow; none where there is no such file."""
    path = REPOSITORY / ".github" / "workflows" / workflow
    if not path.is_file():
        return frozenset()
    return frozenset(yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"])
