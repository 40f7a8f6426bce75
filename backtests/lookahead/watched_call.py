"""Asking a strategy while it is watched: what it reaches for beside its candles."""

from __future__ import annotations

import importlib
import resource
import sys
from contextlib import suppress
from typing import NamedTuple

from backtests.lookahead.report import StrategyFailed
from backtests.lookahead.resource_watch import Reach, Watch, own_places, watching
from backtests.lookahead.source_scan import spelled
from backtests.lookahead.strategy_call import Answer, Asker, in_fresh_process
from mela.candles import Candles


class Reached(NamedTuple):
    """The answer of a strategy, and the resources that it used meanwhile."""

    answer: Answer
    reaches: tuple[Reach, ...]


def watched(asker: Asker, candles: Candles, *, calls: bool = True) -> Reached:
    """Ask here, and note what the strategy reaches for. Raises StrategyFailed.

    calls: look at each call and line, for clocks and chance, which is slow
    """
    watch = Watch(own_places(asker.strategy.signals))
    with watching(watch, calls=calls):
        answer = asker.ask(candles)
    reaches = dict(watch.reaches)
    seen = {(reach.file, reach.line) for reach in reaches}
    for reach in spelled(watch):
        if (reach.file, reach.line) not in seen:
            reaches[reach] = None
    return Reached(answer, tuple(reaches))


def opens_below_python(
    asker: Asker, candles: Candles, whole: Answer, known: tuple[Reach, ...], limit_s: float
) -> tuple[Reach, ...]:
    """Return a reach where the strategy needs files or connections that Python does not tell of.

    Libraries written in C, C++ or Rust open files by themselves. So the strategy is asked where
    nothing more can be opened: what it needs then fails, or is missing in its answer.
    known: the reaches found already, which make the question needless
    """
    if any(reach.kind in ("file", "network", "process") for reach in known):
        return ()
    try:
        modules, is_needed = in_fresh_process(lambda: _loads(asker, candles), limit_s)
        if is_needed:  # compiled code or time zones are read at the first call, by libraries
            return ()
        failed = in_fresh_process(lambda: _closed(asker, candles, whole, modules), limit_s)
    except StrategyFailed:
        return ()
    return () if failed is None else (failed,)


def _loads(asker: Asker, candles: Candles) -> tuple[list[str], bool]:
    """Return what a first call imports, and whether libraries open more than that."""
    before = set(sys.modules)
    watch = Watch(own_places(asker.strategy.signals))
    with watching(watch):
        asker.ask(candles)
    modules = sorted(set(sys.modules) - before)
    return modules, bool(watch.exempt)


def _closed(asker: Asker, candles: Candles, whole: Answer, modules: list[str]) -> Reach | None:
    for name in modules:
        with suppress(ImportError):  # a name that a package only gives to itself
            importlib.import_module(name)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    code = asker.strategy.signals.__code__  # pyright: ignore[reportFunctionMemberAccess]
    what = "something that only compiled code opens"
    try:
        answer = asker.ask(candles)
    except StrategyFailed as failed:
        return Reach("file", f"{what}; without it {failed}", code.co_filename, code.co_firstlineno)
    if answer.differs(whole).any():
        return Reach("file", what, code.co_filename, code.co_firstlineno)
    return None
