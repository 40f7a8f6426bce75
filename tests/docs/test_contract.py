"""Every example on the pages of the contract gives the result that the page states."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from mela.settings import REPOSITORY

PAGES = sorted((REPOSITORY / "docs" / "contract").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_of_the_contract_holds(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")

    assert failed == 0
    assert tried >= 2
