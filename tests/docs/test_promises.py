"""docs/promises.md names what holds each promise, and all of that is there."""

from __future__ import annotations

import json
import re

import pytest

from mela.settings import REPOSITORY
from tests.docs.references import fault

PAGE = REPOSITORY / "docs" / "promises.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| promise |", "| --- |"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_what_holds_a_promise_is_there(row: list[str]) -> None:
    promise, made_in, held_by = row
    proofs = re.findall(r"`([^`]+)`", held_by)
    assert proofs, promise
    assert not [fault(proof) for proof in proofs if fault(proof)]
    for link in re.findall(r"\]\(([^)#]+)", made_in):
        assert (PAGE.parent / link).exists(), link


def test_what_is_not_met_is_said() -> None:
    kept = REPOSITORY / "benchmarks" / "results" / "latest.json"
    measured = json.loads(kept.read_text(encoding="utf-8"))
    [said] = re.findall(r"not met yet.*?:\n(.*)\.\n", PAGE.read_text(encoding="utf-8"))
    missed = {row["name"] for row in measured if not row["met"]}
    assert set(re.findall(r"`([^`]+)`", said)) == missed


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        ("tests/docs/test_promises.py::test_of_nothing", "has no test test_of_nothing"),
        ("tests/docs/none.py", "found none"),
        ("tests.yml: nobody", "expected a job"),
        ("engine.of_nothing", "engine.of_nothing"),
    ],
)
def test_a_proof_that_is_not_there_is_told(proof: str, why: str) -> None:
    assert why in str(fault(proof))


def test_the_readme_leads_there() -> None:
    assert "(docs/promises.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
