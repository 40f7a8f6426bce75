"""Checks in a small process: a check forks its own some fourteen times, and pytest's is large.

Each fork copies the tables of all memory that its process has; where every module of the tests is
loaded, that costs more than the check itself.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from backtests.lookahead.check import check
from backtests.lookahead.report import Checked
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from tests.backtests.lookahead.offenders import planted

Made, Named = Callable[[], Candles], Callable[[], Strategy]


class Lean:
    """A process that has checked, and never asked, what it is given."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def check(self, candles: Made, strategy: Named) -> tuple[Checked, str]:
        """Return what a check finds on candles that are made there, and what it printed."""
        return self._pool.submit(_checked, Path.cwd(), candles, strategy).result(120)


@contextmanager
def lean() -> Iterator[Lean]:
    with warnings.catch_warnings():
        # what other tests killed may have been the helper that all processes share: begin another
        warnings.simplefilter("ignore", UserWarning)
        resource_tracker.ensure_running()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield Lean(pool)


def leaking(signals: Any, warmup: int) -> Named:
    """Name what plants a function of a module, by the name that the module has for it."""
    return partial(_planted, signals.__module__, signals.__name__, warmup)


def _planted(module: str, name: str, warmup: int) -> Strategy:
    return planted(getattr(import_module(module), name), warmup)


def registered(name: str) -> Strategy:
    """Return a strategy of the catalogue."""
    return CATALOGUE[name]


def _checked(folder: Path, candles: Made, strategy: Named) -> tuple[Checked, str]:
    os.chdir(folder)
    with tempfile.TemporaryFile("w+") as printed:
        kept = os.dup(1)
        os.dup2(printed.fileno(), 1)
        try:
            found = check(candles(), strategy(), {})
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        printed.seek(0)
        return found, printed.read()
