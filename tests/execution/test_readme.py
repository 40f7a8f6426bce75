"""The page of the room holds."""

from __future__ import annotations

import doctest

from mela.settings import REPOSITORY

ROOM = REPOSITORY / "execution"


def test_the_example_of_the_page_holds() -> None:
    failed, tried = doctest.testfile(
        str(ROOM / "README.md"), module_relative=False, encoding="utf-8"
    )
    assert failed == 0
    assert tried > 12


def test_the_page_names_every_module() -> None:
    page = (ROOM / "README.md").read_text(encoding="utf-8")
    modules = {file.stem for file in ROOM.glob("*.py")} - {"__init__"}
    assert {name for name in modules if f"`{name}`" not in page} == set()
