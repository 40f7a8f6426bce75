"""Indicators of one run's candles: TA-Lib's, seeding and rounding included, each computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import talib
from numpy.typing import NDArray

from mela.candles import Candles

Float = NDArray[np.float64]
CACHE_BYTES = 64 * 2**20


class Indicators:
    """Compute indicators on exactly the candles that a run reads, warm-up included.

    Each method returns (n,) float64, NaN where undefined, read-only: runs that read the same
    candles share one instance. The most recent ones are kept, up to CACHE_BYTES.
    """

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        keep = max(4, CACHE_BYTES // (8 * len(candles) + 1))
        self._cached = lru_cache(maxsize=keep)(self._compute)

    def sma(self, period: int) -> Float:
        """Return the simple moving average of the closes over `period` candles (period ≥ 1)."""
        return self._cached(talib.SMA, period, period)

    def rsi(self, period: int) -> Float:
        """Return Wilder's relative strength index of the closes, 0 to 100 (period ≥ 2).

        Closes that never move give 0, as TA-Lib has it.
        """
        return self._cached(talib.RSI, period, period + 1)

    def _compute(self, function: Callable[..., Float], period: int, needed: int) -> Float:
        # TA-Lib refuses periods above 100,000, which matter only where there are so many candles.
        if len(self._candles) < needed:
            values = np.full(len(self._candles), np.nan)
        else:
            values = function(self._candles.close, timeperiod=period)
        values.flags.writeable = False
        return values
