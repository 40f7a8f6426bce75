"""CONTRIBUTING, docs/containers.md and the README tell of commands that there are."""

from __future__ import annotations

import re

import pytest
import yaml

from mela.settings import REPOSITORY
from tests.delivery.containers import COMPOSE, program

PAGES = [
    "CONTRIBUTING.md",
    "README.md",
    "docs/containers.md",
    "docs/getting-started.md",
    "docs/operations.md",
    ".github/pull_request_template.md",
]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_is_one(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES)
def test_every_program_and_file_that_is_named_is_there(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for name in re.findall(r"^ *\.venv/bin/([a-z-]+)", text, re.MULTILINE):
        assert program(name)
    for script in re.findall(r"\bsh ((?:stack|tests)/\S+\.sh)", text):
        assert (REPOSITORY / script).is_file(), script
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((REPOSITORY / page).parent / link).exists(), link


def test_every_service_that_docs_speak_to_is_one() -> None:
    text = (REPOSITORY / "docs" / "containers.md").read_text(encoding="utf-8")
    named: set[str] = set()
    for words in re.findall(r"docker compose (?:stop|restart) ([a-z -]+)", text):
        named |= set(words.split())
    named |= set(
        re.findall(
            r"docker compose (?:exec|run)(?: -\S+(?: name=\S+| cat| \./\S+)?)* ([a-z-]+)", text
        )
    )
    named |= set(re.findall(r"--scale ([a-z-]+)=", text))

    assert {"postgres", "mela", "migrations", "airflow-scheduler", "spark-worker"} <= named
    assert named <= set(SERVICES)
