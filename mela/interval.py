"""Candle intervals and their arithmetic, in UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Interval(StrEnum):
    """A candle's length. Weeks open on Monday, months on their first day, all at 00:00 UTC."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MO1 = "1mo"

    @property
    def fixed_ms(self) -> int | None:
        """Return the length in milliseconds; None for months, which have no fixed one."""
        return _FIXED_MS.get(self)

    @property
    def is_intraday(self) -> bool:
        """Tell whether a candle is shorter than a day."""
        fixed = self.fixed_ms
        return fixed is not None and fixed < DAY_MS

    def end_ms(self, opened_ms: int) -> int:
        """Return where the candle that opened at `opened_ms` ends (exclusive), in UTC milliseconds.

        >>> Interval("1h").end_ms(0)
        3600000
        >>> Interval("1mo").end_ms(0) == 31 * 86_400_000
        True
        """
        fixed = self.fixed_ms
        if fixed is not None:
            return opened_ms + fixed
        opened = datetime.fromtimestamp(opened_ms / 1000, UTC)
        year, month = divmod(opened.year * 12 + opened.month, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000)

    def ends_ms(self, opened_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `end_ms` for each opening time: (n,) int64 in, (n,) int64 out."""
        fixed = self.fixed_ms
        if fixed is not None:
            return opened_ms + fixed
        return np.array([self.end_ms(int(ms)) for ms in opened_ms], dtype=np.int64)


_FIXED_MS: dict[Interval, int] = {
    Interval.M1: MINUTE_MS,
    Interval.M3: 3 * MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.M15: 15 * MINUTE_MS,
    Interval.M30: 30 * MINUTE_MS,
    Interval.H1: HOUR_MS,
    Interval.H2: 2 * HOUR_MS,
    Interval.H4: 4 * HOUR_MS,
    Interval.H6: 6 * HOUR_MS,
    Interval.H8: 8 * HOUR_MS,
    Interval.H12: 12 * HOUR_MS,
    Interval.D1: DAY_MS,
    Interval.D3: 3 * DAY_MS,
    Interval.W1: 7 * DAY_MS,
}
