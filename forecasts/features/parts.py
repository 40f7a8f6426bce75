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
COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
WINDOWS = 4  # of candles before a part, it has at least as many itself


class Parts:
    """A series in parts, for features that read a stated number of candles, and stated series.

    begin: the first bar that is in a part
    bounds: the first bar of each part and the one after its last
    """

    def __init__(
        self,
        candles: Candles,
        instrument: str,
        window: int,
        inputs: Mapping[str, Input],
        begin: int = 0,
    ) -> None:
        self._candles, self._instrument, self._window = candles, instrument, window
        many = max(CANDLES, WINDOWS * self._window)
        begins = list(range(begin, max(len(candles) - many // 2, begin + 1), many))
        self.bounds = tuple(zip(begins, [*begins[1:], len(candles)], strict=True))
        self._before: dict[tuple[str, Interval], int] = {}
        for one in inputs.values():
            key = one.instrument or instrument, one.interval or candles.interval
            self._before[key] = max(one.warmup + 1, self._before.get(key, 0))
        closes = {key: candle_closes_ms(series) for key, series in candles.inputs.items()}
        self._closes: Mapping[tuple[str, Interval], Int] = closes

    def reading(self, begin: int, end: int) -> tuple[Reading, int]:
        """Return the candles of a part and those before it, and how many these are."""
        first = max(0, begin - self._window)
        if (first, end) == (0, len(self._candles)):
            return Reading(self._candles, self._instrument), begin
        part = self._candles.rows(first, end)
        inputs = {
            key: self._known(key, series, candle_closes_ms(part.rows(0, 1))[0], part)
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
        return series.rows(max(0, begin), int(np.searchsorted(closes, last_ms, side="right")))


def same_until(old: Candles, new: Candles) -> int:
    """Return on how many candles of a series nothing has changed that features may read.

    All of the old ones, where new ones came behind them and behind those of its further series;
    else none.
    """
    if not _begins_with(new, old) or old.inputs.keys() != new.inputs.keys():
        return 0
    last_ms = int(candle_closes_ms(old.rows(len(old) - 1, len(old)))[0]) if len(old) else 0
    for key, before in old.inputs.items():
        series = new.inputs[key]
        if not _begins_with(series, before):
            return 0
        came = series.rows(len(before), len(series))
        if len(came) and int(candle_closes_ms(came)[0]) <= last_ms:
            return 0
    return len(old)


def _begins_with(new: Candles, old: Candles) -> bool:
    return len(old) <= len(new) and all(
        np.array_equal(getattr(new, name)[: len(old)], getattr(old, name), equal_nan=True)
        for name in COLUMNS
    )
