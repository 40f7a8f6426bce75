"""Checks in a small process: a check forks its own some fourteen times, and pytest's is large.

Each fork copies the tables of all memory that its process has; where every module of the tests is
loaded, that costs more than the check itself.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from backtests.lookahead.check import check
from backtests.lookahead.report import Checked
from mela.candles import Candles
from tests.backtests.lookahead.offenders import planted


class Lean:
    """A process that has checked, and never asked, what it is given."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def check(self, made: Callable[[], Candles], strategy: Any, warmup: int) -> tuple[Checked, str]:
        """Return what a check finds on candles that are made there, and what it printed.

        strategy: what a module has by its name
        """
        place = strategy.__module__, strategy.__name__
        return self._pool.submit(_checked, Path.cwd(), made, place, warmup).result(120)


@contextmanager
def lean() -> Iterator[Lean]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield Lean(pool)


def _checked(
    folder: Path, made: Callable[[], Candles], place: tuple[str, str], warmup: int
) -> tuple[Checked, str]:
    os.chdir(folder)
    strategy = getattr(import_module(place[0]), place[1])
    with tempfile.TemporaryFile("w+") as printed:
        kept = os.dup(1)
        os.dup2(printed.fileno(), 1)
        try:
            found = check(made(), planted(strategy, warmup), {})
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        printed.seek(0)
        return found, printed.read()
