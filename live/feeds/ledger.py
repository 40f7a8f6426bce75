"""The candles that a feed has given of one series. It is pure: no order of messages confuses it."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import replace
from typing import Literal

from live.events import CandleClosed
from live.feeds.protocol import Listening
from mela.calendars import has_sessions
from mela.interval import DAY_MS
from mela.market_hours import closes_in, opens_in

_REMEMBERED = 120  # candles whose values are compared with what comes again
_LOOK_AHEAD_MS = 40 * DAY_MS
_OPENS = 500  # candles whose times are worked out at once
Succession = Literal["next", "gap", "again", "restated", "old"]


class Ledger:
    """The candles of one series that were given, and which one comes next.

    wanted_ms: the first open time that was not given yet; earlier candles are old
    """

    def __init__(self, listening: Listening, calendar: str, wanted_ms: int) -> None:
        self.listening = listening
        self.wanted_ms = wanted_ms
        self._calendar = calendar
        self._given: OrderedDict[int, tuple[float, ...]] = OrderedDict()
        self._next: tuple[int, int, int] | None = None  # of wanted_ms: its open and its close
        self._opens: list[int] = []  # all that the calendar has from some earlier wanted_ms on

    def judge(self, candle: CandleClosed) -> Succession:
        """Tell what a candle is to this series: the next one, one after a gap, or one again.

        gap: the calendar has candles between the last one given and this one
        again: given with the same values; restated: given with others
        old: from before all that is remembered, or outside the hours that are listened to
        """
        if candle.opened_ms >= self.wanted_ms:
            if self.next_open_ms() > candle.opened_ms:
                return "old"  # none that the calendar has in these hours
            return "gap" if self.next_open_ms() < candle.opened_ms else "next"
        given = self._given.get(candle.opened_ms)
        if given is None:
            return "old"
        return "again" if given == _values(candle) else "restated"

    def take(self, candle: CandleClosed, received_ms: int) -> CandleClosed:
        """Count a candle as given, and return it with the time at which it was heard of."""
        self._given[candle.opened_ms] = _values(candle)
        while len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        step = max(candle.opened_ms + 1, self.wanted_ms)
        self.wanted_ms = step
        return replace(candle, received_ms=received_ms)

    def next_open_ms(self) -> int:
        """Return when the next candle that the calendar has opens."""
        return self._expected()[0]

    def next_close_ms(self) -> int:
        """Return when it closes."""
        return self._expected()[1]

    def skip_to(self, opened_ms: int) -> None:
        """Stop waiting for candles that open before an instant: the service does not have them."""
        self.wanted_ms = max(self.wanted_ms, opened_ms)

    def closes_ms(self, opened_ms: int) -> int:
        """Return when the candle that opened at an instant closes."""
        return _close_ms(self._calendar, self.listening, opened_ms)

    def _expected(self) -> tuple[int, int]:
        if self._next is None or self._next[0] != self.wanted_ms:
            opened = self._first_open()
            self._next = (self.wanted_ms, opened, self.closes_ms(opened))
        return self._next[1], self._next[2]

    def _first_open(self) -> int:
        """Return the calendar's first open time from wanted_ms on, which only rises."""
        place = bisect_left(self._opens, self.wanted_ms)
        if place == len(self._opens):
            place, interval = 0, self.listening.interval
            some_ms = min(_OPENS * (interval.fixed_ms or DAY_MS), _LOOK_AHEAD_MS)
            for span_ms in sorted({some_ms, _LOOK_AHEAD_MS}):  # markets are closed for days
                end_ms = self.wanted_ms + span_ms
                hours = self.listening.hours
                opens = opens_in(self._calendar, interval, self.wanted_ms, end_ms, hours)
                self._opens = opens.tolist()
                if self._opens:
                    break
            else:
                return self.wanted_ms + _LOOK_AHEAD_MS
        return self._opens[place]


def _close_ms(calendar: str, listening: Listening, opened_ms: int) -> int:
    interval = listening.interval
    if not has_sessions(calendar):
        return interval.end_ms(opened_ms)
    import numpy as np

    opened = np.array([opened_ms], dtype=np.int64)
    closed = int(closes_in(calendar, interval, opened, listening.hours)[0])
    return closed if closed > opened_ms else interval.end_ms(opened_ms)


def _values(candle: CandleClosed) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume
