"""Which tests run beside each other when pytest has several workers (`pytest -n 2`).

A worker takes one unit of tests after another. A unit is a file, or all files that share what is
expensive to start: the platform, an Airflow, a star. Long units are handed out first, so
that the workers end at about the same time.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from mela.settings import REPOSITORY

# By the expensive fixture: the files or folders whose tests ask for it.
SHARED = {
    "platform": (
        "tests/integration/",
        "tests/web/test_dev_server.py",
        "tests/web/test_keys.py",
        "tests/web/test_managed.py",
        "tests/web/test_new_scene.py",
        "tests/web/test_pages.py",
        "tests/web/test_people.py",
        "tests/web/test_recovery.py",
        "tests/web/test_run.py",
        "tests/web/test_search.py",
        "tests/web/test_stream.py",
        "tests/web/test_trading.py",
        "tests/web/test_way.py",
        "tests/delivery/test_health.py",
        "tests/stack/test_loopback.py",
    ),
    "streams": (
        "tests/hostile/",
        "tests/services/scenes/test_rejected.py",
        "tests/cli/scenes/test_rejected.py",
        "tests/live/test_publisher.py",
        "tests/services/scenes/test_sender.py",
        "tests/storm/test_history.py",
        "tests/streaming/test_cancelled.py",
        "tests/trainer/",
    ),
    "airflow": ("tests/dags/test_running.py",),
    "star": ("tests/dbt/",),
}
LONG = (
    *SHARED,
    "tests/regression/test_compare.py",
    "tests/delivery/test_dockerfile.py",
    "tests/stack/test_guard.py",
    "tests/backtests/lookahead/test_leaks.py",
    "tests/docs/test_commands.py",
    "tests/backtests/lookahead/test_check.py",
    "tests/backtests/kernel/test_laws.py",
    "tests/backtests/catalogue/test_loading.py",
)
WORKER = "PYTEST_XDIST_WORKER"
PLATFORM: pytest.StashKey[ExitStack] = pytest.StashKey()  # what stops the platform that runs
WARMING: pytest.StashKey[subprocess.Popen[bytes]] = pytest.StashKey()  # what compiles the engine
WARM = (
    "from backtests.portfolio import warm_accounts; from backtests.simulate import warm;"
    " warm(); warm_accounts()"
)


def unit_of(nodeid: str) -> str:
    """Return the unit that a test belongs to."""
    file = nodeid.partition("::")[0]
    return next((name for name, places in SHARED.items() if file.startswith(places)), file)


class Units(LoadScopeScheduling):
    """Hands out units in the order in which they were collected, once the engine is compiled."""

    def schedule(self) -> None:
        if (warming := self.config.stash.get(WARMING, None)) and warming.wait():
            raise subprocess.CalledProcessError(warming.returncode, warming.args)
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units:
    config.option.loadscopereorder = False
    return Units(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Keep bytecode for all that tests start, and take a screen from a worker that has none.

    Without bytecode, which containers often forbid, each `mela`, each task of Airflow and each
    worker of Spark compiles Mela's modules anew: a quarter of what such a start costs.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if hasattr(config, "workerinput"):
        os.environ.pop("COLUMNS", None)
        os.environ.pop("LINES", None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the engine once, where several workers would do it at the same time.

    They collect meanwhile, and are given no test before it is done: in a fresh clone it takes a
    minute, in which the other processor would have nothing to do.
    """
    if session.config.getoption("numprocesses", None):
        command = [sys.executable, "-c", WARM]
        session.config.stash[WARMING] = subprocess.Popen(command, cwd=REPOSITORY)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all workers of a session share, one process alone included."""
    own = factory.getbasetemp()
    return own.parent if WORKER in os.environ else own


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the image that the workers shared: it has two gigabytes."""
    if not hasattr(session.config, "workerinput"):
        factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
        shutil.rmtree(factory.getbasetemp() / "image", ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long units first, and refuse what would start an expensive fixture a second time.

    One process needs that order as well: the tests of a unit stand beside each other in it, and
    the platform is stopped after the last of them.
    """
    check_units(items)
    items.sort(key=lambda item: order_of(unit_of(item.nodeid)))


def pytest_collection_finish() -> None:
    """Spare the collector, and each fork, the thousands of tests and modules that stay anyway."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the platform after the last test of its unit: the other units need its processor time.

    A fixture of the session would keep it until the worker has run everything else.
    """
    if nextitem is not None and unit_of(item.nodeid) == "platform" != unit_of(nextitem.nodeid):
        item.config.stash.get(PLATFORM, ExitStack()).close()


def order_of(unit: str) -> int:
    return LONG.index(unit) if unit in LONG else len(LONG)


def check_units(items: Sequence[pytest.Item]) -> None:
    for item in items:
        wanted: list[str] = getattr(item, "fixturenames", [])
        for name, places in SHARED.items():
            if name in wanted and unit_of(item.nodeid) != name:
                raise pytest.UsageError(
                    f"{item.nodeid} asks for the fixture {name}, expected in {', '.join(places)} "
                    "alone: elsewhere a second worker would start it once more; add the file to "
                    "SHARED in tests/workers.py"
                )
