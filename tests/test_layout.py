"""Modules say what they are for, and their tests lie where they do."""

from __future__ import annotations

import ast

import pytest

from mela.settings import REPOSITORY

PACKAGES = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
ROOMS = sorted(PACKAGES - {"tests"})


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is_for(room: str) -> None:
    silent = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / room).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize("room", ROOMS)
def test_tests_lie_in_folders_that_their_room_has(room: str) -> None:
    tests = {path.parent for path in (REPOSITORY / "tests" / room).rglob("test_*.py")}
    folders = {path.relative_to(REPOSITORY / "tests").as_posix() for path in tests}
    assert not {folder for folder in folders if not (REPOSITORY / folder).is_dir()}
