"""Asking a strategy on exactly these candles: here, or in a process that it has never seen."""

from __future__ import annotations

import os
import pickle
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from backtests.context import context_of
from backtests.forked_process import Ended, apart
from backtests.indicators import Indicators
from backtests.lookahead.report import StrategyFailed
from backtests.lookahead.resource_watch import Watch, own_places
from backtests.signal_forms import taken
from backtests.signals import MeanCross
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.inputs import Input

A = TypeVar("A")
MEMORY = 16 * 2**30  # of address space, beyond what this process has
CLOSE = 1e-9  # relative: how far levels may differ on the same candles


class Answer(NamedTuple):
    """The answer of a strategy about some candles.

    flags: (4, n) bool, the four signals in the order of Signals
    levels: (4, n) float64, strength where an entry stands, stop, target and exit price; NaN where
        there is none
    """

    flags: NDArray[np.bool_]
    levels: NDArray[np.float64]

    def part(self, first: int, end: int) -> Answer:
        """Return the answer about candles [first, end)."""
        return Answer(self.flags[:, first:end], self.levels[:, first:end])

    def onsets(self) -> NDArray[np.int64]:
        """Return the bars on which a signal begins."""
        begins = self.flags.copy()
        begins[:, 1:] &= ~self.flags[:, :-1]
        return np.flatnonzero(begins.any(axis=0))

    def is_same(self, other: Answer) -> bool:
        """Tell whether two answers are equal to the last bit, as nearly all are; this is quick."""
        bits, others = self.levels.view(np.int64), other.levels.view(np.int64)
        return bool((self.flags == other.flags).all() and (bits == others).all())

    def differs(self, other: Answer, close: float = CLOSE) -> NDArray[np.bool_]:
        """Tell on which candles two answers of the same length differ: (8, n) bool."""
        if self.is_same(other):
            return np.zeros((len(self.flags) + len(self.levels), self.flags.shape[1]), np.bool_)
        with np.errstate(invalid="ignore"):
            level = ~np.isclose(self.levels, other.levels, rtol=close, atol=0.0, equal_nan=True)
        return np.concatenate([self.flags != other.flags, level])


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one strategy with one set of parameters."""

    strategy: Strategy
    params: BaseModel
    instrument: str
    inputs: Mapping[str, Input]

    def ask(self, candles: Candles, *, after_warmup: bool = False) -> Answer:
        """Return what the strategy says on exactly these candles. Raises StrategyFailed.

        after_warmup: give inputs no candles but those that the strategy asked for before the start
        """
        since_ms = int(candles.opened_ms[candles.start_bar]) if after_warmup else None
        try:
            given = self.strategy.decide(
                candles,
                self.params,
                Indicators(candles),
                lambda: context_of(candles, self.instrument, self.inputs, since_ms),
            )
            given = taken(given, self.strategy.name, len(candles))
            signals = (given.cross() if isinstance(given, MeanCross) else given).signals()
        except (Exception, SystemExit) as error:  # a strategy is anybody's code
            where = self._where(error)
            raise StrategyFailed(f"raises {type(error).__name__}: {error}{where}") from error
        flags = np.stack(signals.mirrored())
        levels = np.full((4, len(candles)), np.nan)
        if signals.strength is not None:
            entries = flags[0] | flags[2]
            levels[0, entries] = signals.strength[entries]
        for row, level in enumerate((signals.stop, signals.target, signals.exit_price), start=1):
            if level is not None:
                levels[row] = level
        return Answer(flags, levels)

    def _where(self, error: BaseException) -> str:
        """Return the line of the strategy that raised, in brackets."""
        watch = Watch(own_places(self.strategy.signals))
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if watch.is_users(frame.filename)]
        return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def in_fresh_process(work: Callable[[], A], limit_s: float) -> A:
    """Return what work gives in a fork of this process; what it leaves in memory is gone.

    As this process never asked the strategy, whatever it keeps between calls is empty there. Chance
    is seeded anew. Its prints are discarded, because they would come thousands of times. Raises
    StrategyFailed where the strategy did, or where the process gave no answer.
    """

    def there() -> bytes:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  until it ends
        random.seed()
        np.random.seed()
        try:
            return pickle.dumps((work(), None, None))
        except StrategyFailed as failed:
            return pickle.dumps((None, str(failed), None))
        except Exception:  # noqa: BLE001  a fault of the check, told in the process that asked
            return pickle.dumps((None, None, traceback.format_exc()))

    outcome = apart(there, limit_s=limit_s, memory_bytes=MEMORY, is_unwanted=bool)
    if isinstance(outcome, Ended):
        raise StrategyFailed(f"gives no answer: {outcome.error[1]}")
    answer, failed, fault = pickle.loads(outcome)  # noqa: S301  written by our own fork
    if fault is not None:
        raise RuntimeError(f"the lookahead check itself failed:\n{fault}")
    if failed is not None:
        raise StrategyFailed(failed)
    return answer
