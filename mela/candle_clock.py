"""When the candles of a series are expected to open and close, whoever waits for the next one."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from mela.calendars import ALWAYS, NO_SESSION
from mela.interval import DAY_MS, Interval
from mela.market_hours import closes_in, opens_in
from mela.risk_limits import SessionHours

CHUNK = 512  # expected openings that are looked up together
FARTHEST_MS = 40 * DAY_MS  # no market is closed for longer
FOREVER_MS = 2**62


class CandleClock:
    """When the candles of one series are expected to open, and when they close.

    calendar: of the instrument; offset_ms: of the grid on which intraday candles stand, None where
    they stand on the calendar's own; hours: those in which candles are expected
    """

    def __init__(
        self,
        calendar: str,
        interval: Interval,
        offset_ms: int | None,
        hours: SessionHours = "regular",
    ) -> None:
        self._calendar, self._interval, self._offset_ms = calendar, interval, offset_ms
        self._hours: SessionHours = hours
        step = interval.fixed_ms
        self._step = step if calendar == ALWAYS and interval.is_intraday else None
        self._span = CHUNK * (step or 31 * DAY_MS)
        self._known: list[int] = []
        self._until_ms = 0

    def next_after(self, ms: int) -> int:
        """Return the first expected opening after an instant; FOREVER_MS where nobody knows one."""
        if self._step is not None:
            offset = self._offset_ms or 0
            return (ms - offset) // self._step * self._step + self._step + offset
        at = bisect_right(self._known, ms)
        if at == len(self._known) or self._known[0] > ms or ms >= self._until_ms:
            self._look_up(ms)
            at = bisect_right(self._known, ms)
        return self._known[at] if at < len(self._known) else FOREVER_MS

    def closes_ms(self, opened_ms: int) -> int:
        """Return when a candle closes: with its session, where its market has sessions."""
        end = self._interval.end_ms(opened_ms)
        if self._calendar == ALWAYS:
            return end
        try:
            opened = np.array([opened_ms], np.int64)
            found = closes_in(self._calendar, self._interval, opened, self._hours)
        except ValueError:  # a market whose hours nobody knows
            return end
        return end if found[0] == NO_SESSION else int(found[0])

    def _look_up(self, ms: int) -> None:
        span, since = self._span, ms - (self._interval.fixed_ms or 31 * DAY_MS)
        self._known = []
        while not self._known and span <= max(FARTHEST_MS, self._span):
            self._until_ms = ms + span
            try:
                opens = opens_in(self._calendar, self._interval, since, self._until_ms, self._hours)
            except ValueError:  # nothing can be said to be missing
                return
            if self._offset_ms is not None and self._interval.is_intraday:
                step = self._interval.fixed_ms or DAY_MS
                opens = np.unique(opens - (opens - self._offset_ms) % step)
            self._known = opens[opens > ms].tolist()
            if self._known:
                self._known = opens.tolist()
            span *= 4
