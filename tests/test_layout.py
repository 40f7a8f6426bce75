"""Modules say what they are for, and their tests lie where they do."""

from __future__ import annotations

import ast
from pathlib import Path

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


LONGEST_FILE = 400
LONGEST_FUNCTION = 60  # lines of its body; neither the signature nor the docstring counts
# One compiled loop keeps its locals in registers: handing them on costs a tenth of its time
LONG_FOR_A_REASON = {"backtests/kernel/events.py:walk_events"}


def _python_files() -> list[Path]:
    rooms = [REPOSITORY / name for name in (*PACKAGES, "dags", "benchmarks")]
    return sorted({path for room in rooms for path in room.rglob("*.py")})


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _long_functions(path: Path) -> dict[str, int]:
    name = path.relative_to(REPOSITORY).as_posix()
    return {
        f"{name}:{node.name}": _body_lines(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _body_lines(node) > LONGEST_FUNCTION
    }


def test_files_stay_short_enough_to_be_read() -> None:
    lines = {
        path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in _python_files()
    }
    assert not {name: count for name, count in lines.items() if count > LONGEST_FILE}


def test_functions_stay_short_enough_to_be_read() -> None:
    long = {name: n for path in _python_files() for name, n in _long_functions(path).items()}
    assert set(long) == LONG_FOR_A_REASON, long
