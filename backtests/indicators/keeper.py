"""Keep the lines of indicators, so that runs of the same candles compute each of them once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from backtests.indicators.definition import Float
from backtests.indicators.lines import NAMED
from backtests.indicators.registry import INDICATORS
from mela.candles import Candles

CACHE_BYTES = 64 * 2**20
LEAST_LINES = 4  # kept however long they are


class Computed(NamedTuple):
    """An indicator that was computed: its name, its parameters, its lines in their order."""

    name: str
    parameters: tuple[float, ...]
    lines: tuple[Float, ...]


class LineKeeper:
    """Compute indicators by name, and keep the most recent lines, up to CACHE_BYTES."""

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        self._kept: OrderedDict[tuple[str | float, ...], Any] = OrderedDict()
        self._most_lines = max(LEAST_LINES, CACHE_BYTES // (8 * len(candles) + 1))
        self._lock = threading.Lock()

    def of(self, name: str, *parameters: float) -> Any:
        """Return the lines of an indicator: an array, or its named tuple of arrays."""
        key = (name, *parameters)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self._compute(name, parameters)
        with self._lock:
            found = self._kept.setdefault(key, found)  # another thread may have been faster
            self._forget()
        return found

    def kept(self) -> list[Computed]:
        """Return what is kept, the longest unused first."""
        with self._lock:
            kept = list(self._kept.items())
        return [
            Computed(str(key[0]), tuple(map(float, key[1:])), _lines(found)) for key, found in kept
        ]

    def _forget(self) -> None:
        """Drop the longest unused, until what is left fits."""
        lines = sum(_count(found) for found in self._kept.values())
        while lines > self._most_lines and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            lines -= _count(dropped)

    def _compute(self, name: str, parameters: tuple[float, ...]) -> Any:
        indicator = INDICATORS[name]
        count = len(self._candles)
        for parameter, value in zip(indicator.parameters, parameters, strict=True):
            if value < parameter.least:
                parameter.check(name, value)
        if count <= indicator.lookback(*parameters):
            lines = tuple(np.full(count, np.nan) for _ in indicator.lines)
        else:
            # The upper bounds are TA-Lib's, and matter only where there are so many candles.
            for parameter, value in zip(indicator.parameters, parameters, strict=True):
                parameter.check(name, value)
            found = indicator.compute(self._candles, *parameters)
            lines = found if isinstance(found, tuple) else (found,)
        for line in lines:
            line.flags.writeable = False
        return lines[0] if len(lines) == 1 else NAMED[name](*lines)


def _count(found: Any) -> int:
    return len(_lines(found))


def _lines(found: Any) -> tuple[Float, ...]:
    return tuple(found) if isinstance(found, tuple) else (found,)
