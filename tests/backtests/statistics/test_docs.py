"""The examples of docs/statistics.md and of the docstrings are what happens."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
MODULES = [
    "statistics.blocks",
    "statistics.montecarlo",
    "statistics.sharpe",
    "statistics.trials",
    "search.folds",
]


def test_every_example_of_the_statistics_page_holds() -> None:
    page = ROOT / "docs" / "statistics.md"

    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")

    assert failed == 0
    assert tried > 40


@pytest.mark.parametrize("name", MODULES)
def test_every_example_of_a_docstring_holds(name: str) -> None:
    module = importlib.import_module(f"backtests.{name}")

    failed, tried = doctest.testmod(module, extraglobs={"np": np})

    assert failed == 0
    assert tried > 0
