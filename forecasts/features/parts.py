"""Long series in parts, with what features read before each: what is computed stays in a cache.

A million values of one column are 8 MB: each of the arrays between candles and a feature would go
through memory, and be given back to the system and asked for again. A feature depends on a stated
number of candles (`window`), so that parts give the bits of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from backtests.context import candle_closes_ms
from forecasts.features.definition import Int, Reading
from mela.candles import Candles
from mela.inputs import Input
from mela.interval import Interval

# Of a part: a column of them, with what comes before, stays below the 128 kB from which on the
# allocator asks the system.
CANDLES = 12_288
WINDOWS = 4  # of candles before a part, it has at least as many itself


class Parts:
    """A series in parts, for features that read a stated number of candles, and stated series.

    bounds: the first bar of each part and the one after its last
    """

    def __init__(
        self, candles: Candles, instrument: str, window: int, inputs: Mapping[str, Input]
    ) -> None:
        self._candles, self._instrument, self._window = candles, instrument, window
        many = max(CANDLES, WINDOWS * self._window)
        begins = list(range(0, max(len(candles) - many // 2, 1), many))
        self.bounds = tuple(zip(begins, [*begins[1:], len(candles)], strict=True))
        self._before: dict[tuple[str, Interval], int] = {}
        for one in inputs.values():
            key = one.instrument or instrument, one.interval or candles.interval
            self._before[key] = max(one.warmup + 1, self._before.get(key, 0))
        closes = {key: candle_closes_ms(series) for key, series in candles.inputs.items()}
        self._closes: Mapping[tuple[str, Interval], Int] = closes

    def reading(self, begin: int, end: int) -> tuple[Reading, int]:
        """Return the candles of a part and those before it, and how many these are."""
        if len(self.bounds) == 1:
            return Reading(self._candles, self._instrument), 0
        first = max(0, begin - self._window)
        part = _cut(self._candles, first, end)
        inputs = {
            key: self._known(key, series, candle_closes_ms(_cut(part, 0, 1))[0], part)
            for key, series in self._candles.inputs.items()
        }
        return Reading(replace(part, inputs=MappingProxyType(inputs)), self._instrument), (
            begin - first
        )

    def _known(
        self, key: tuple[str, Interval], series: Candles, first_ms: int, part: Candles
    ) -> Candles:
        """Return what features read of another series, up to what has closed by a part's end."""
        closes, last_ms = self._closes[key], int(candle_closes_ms(part)[-1])
        begin = int(np.searchsorted(closes, first_ms, side="right")) - self._before.get(key, 0)
        return _cut(series, max(0, begin), int(np.searchsorted(closes, last_ms, side="right")))


def _cut(candles: Candles, begin: int, end: int) -> Candles:
    names = ("opened_ms", "open", "high", "low", "close", "volume")
    return replace(candles, **{name: getattr(candles, name)[begin:end] for name in names})
