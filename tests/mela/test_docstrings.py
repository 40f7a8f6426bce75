"""The examples in the shared language's docstrings hold."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "calendars",
        "canonical",
        "instrument",
        "interval",
        "metrics",
        "inputs",
        "values",
        "warmup",
        "windows",
        "block_returns",
        "params",
        "portfolio",
        "scene_words",
        "failures",
        "warning_words",
        "schemas",
    ],
)
def test_every_example_of_a_docstring_holds(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"mela.{name}"))
    assert failed == 0
    assert tried > 0
