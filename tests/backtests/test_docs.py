"""The examples of the engine's pages and docstrings are what happens."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from backtests.indicators import INDICATORS
from backtests.strategies import CATALOGUE

ROOT = Path(__file__).parents[2]
MODULES = [
    "testing.instrument",
    "search.report",
    "search.trials",
    "search.out_of_sample",
    "indicators.registry",
    "metrics.blocks",
    "metrics.growth",
    "signals",
    "strategy",
]


@pytest.mark.parametrize(("name", "least"), [("execution", 120), ("metrics", 40), ("risk", 70)])
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


STRATEGIES = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of the page of strategies."""
    _, _, below = STRATEGIES.partition(f"\n## {heading}\n")
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table is not None
    return [re.split(r" \| ?|\| ", line)[1:-1] for line in table[0].splitlines()[2:]]


def test_the_page_of_strategies_has_each_with_its_parameters_and_defaults() -> None:
    told = {name.strip("`"): parameters for name, *_, parameters in rows("Strategies")}

    assert told.keys() == CATALOGUE.keys()
    for name, parameters in told.items():
        found = dict(re.findall(r"`(\w+)`(?: ([\w.]+))?", parameters))
        fields = CATALOGUE[name].params.model_fields
        assert list(found) == list(fields)
        for field, default in found.items():
            if default:
                assert str(fields[field].default).removesuffix(".0") == default


def test_the_page_of_strategies_has_each_indicator_with_its_units_and_warmup() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("Indicators")}

    assert len(told) == len(INDICATORS)
    for call, one in zip(told, INDICATORS.values(), strict=True):
        defaults = [parameter.default for parameter in one.parameters]
        named = ", ".join(f"{each.name}={each.default:g}" for each in one.parameters)
        assert call == f"{one.name}({named})"
        assert all(line.unit in told[call][0] for line in one.lines)
        warmup = one.warmup(*defaults)
        assert told[call][1] == ("its changes only" if warmup is None else str(warmup))
        assert told[call][2] == f"{one.doc} {one.source}"
