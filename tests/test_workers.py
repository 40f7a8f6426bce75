"""Tests that share what is expensive to start stay with one worker."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mela.settings import REPOSITORY
from tests.workers import (
    LONG,
    PLATFORM,
    SHARED,
    check_units,
    order_of,
    pytest_collection_modifyitems,
    pytest_runtest_teardown,
    unit_of,
)


@dataclass
class Collected:
    """A test, as far as its unit depends on it."""

    nodeid: str
    fixturenames: list[str] = field(default_factory=list)
    config: Any = None


def test_files_that_share_the_platform_are_one_unit_and_others_are_their_own() -> None:
    assert unit_of("tests/integration/test_kill.py::test_a_kill[spark]") == "platform"
    assert unit_of("tests/stack/test_loopback.py::test_all") == "platform"
    assert unit_of("tests/dbt/test_star.py::test_each_once") == "star"
    assert unit_of("tests/mela/test_grid.py::test_a_grid[a::b]") == "tests/mela/test_grid.py"


def test_long_units_come_first() -> None:
    units = ["tests/mela/test_grid.py", "star", "tests/mela/test_scene.py", "platform"]
    ordered = ["platform", "star", "tests/mela/test_grid.py", "tests/mela/test_scene.py"]
    assert sorted(units, key=order_of) == ordered


def test_one_process_too_runs_the_tests_of_a_unit_after_each_other() -> None:
    ids = ["tests/dbt/test_star.py::a", "tests/mela/test_grid.py::b"]
    ids += ["tests/stack/test_loopback.py::c", "tests/web/test_chromium.py::d"]
    ids += ["tests/web/test_pages.py::e"]
    items: list[Any] = [Collected(nodeid) for nodeid in ids]
    pytest_collection_modifyitems(items)
    assert [item.nodeid[-1] for item in items] == ["c", "e", "a", "b", "d"]


def test_every_place_that_is_named_is_there() -> None:
    places = [place for many in SHARED.values() for place in many]
    places += [unit for unit in LONG if unit not in SHARED]
    assert not [place for place in places if not (REPOSITORY / place).exists()]


def test_a_second_platform_is_refused() -> None:
    allowed: Any = Collected("tests/integration/test_demo.py::test_it", ["platform"])
    check_units([allowed])
    other: Any = Collected("tests/mela/test_grid.py::test_it", ["platform"])
    with pytest.raises(pytest.UsageError, match=r"tests/mela/test_grid.py::test_it asks for"):
        check_units([allowed, other])


def test_the_platform_stops_after_the_last_test_of_its_unit() -> None:
    stopped: list[str] = []
    running = ExitStack()
    running.callback(stopped.append, "platform")
    config: Any = SimpleNamespace(stash={PLATFORM: running})
    of_platform: Any = Collected("tests/integration/test_demo.py::test_it", config=config)
    other: Any = Collected("tests/mela/test_grid.py::test_it", config=config)

    for item, nextitem in ((other, of_platform), (of_platform, of_platform), (of_platform, None)):
        pytest_runtest_teardown(item, nextitem)
    assert not stopped
    pytest_runtest_teardown(of_platform, other)
    assert stopped == ["platform"]
