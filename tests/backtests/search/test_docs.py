"""The examples of docs/search.md are what happens, and its scenes are scenes."""

from __future__ import annotations

import doctest

import pytest
import yaml

from backtests.strategies import CATALOGUE
from mela.grid import plan_runs
from mela.scene import parse_scene
from mela.settings import REPOSITORY


def test_every_example_of_the_page_holds() -> None:
    page = REPOSITORY / "docs" / "search.md"
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 15


@pytest.mark.parametrize(("name", "runs"), [("walk_forward", 1_600), ("random", 200)])
def test_the_scenes_beside_it_can_be_planned(name: str, runs: int) -> None:
    text = (REPOSITORY / "docs" / "scenes" / f"{name}.yaml").read_text(encoding="utf-8")
    plan = plan_runs(parse_scene(yaml.safe_load(text)), CATALOGUE, max_runs=10_000)
    assert plan.runs == runs
