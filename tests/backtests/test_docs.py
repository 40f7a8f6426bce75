"""The examples of the engine's pages and docstrings are what happens."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    "by_hand",
    "indicators",
    "metrics.blocks",
    "metrics.growth",
    "signals",
    "strategy",
]


@pytest.mark.parametrize(("name", "least"), [("execution", 30), ("metrics", 40)])
def test_every_example_of_a_page_holds(name: str, least: int) -> None:
    page = ROOT / "docs" / f"{name}.md"

    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")

    assert failed == 0
    assert tried > least


@pytest.mark.parametrize("name", MODULES)
def test_every_example_of_a_docstring_holds(name: str) -> None:
    module = importlib.import_module(f"backtests.{name}")

    failed, _ = doctest.testmod(module, extraglobs={"np": np})

    assert failed == 0
