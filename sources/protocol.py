"""The types that sources return: closed candles, prices unadjusted, and corporate actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mela.instrument import Instrument
from mela.interval import Interval

Float = NDArray[np.float64]
Int = NDArray[np.int64]
ActionKind = Literal["split", "dividend"]
Origin = Literal["internet", "replay", "file"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split or a dividend that takes effect before the session of `effective_on` opens.

    effective_ms: 00:00 UTC of that date, comparable with the opened_ms of daily candles
    value: for a split, new shares per old share (4.0 for 4:1, 0.1 for a 1:10 reverse split); for a
        dividend, the cash per share in the quote currency as it was paid, before any later split
    """

    kind: ActionKind
    effective_on: date
    effective_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that must not be stored. `sentence` gives the reason."""

    opened_ms: int
    sentence: str
    row: dict[str, Any] = field(default_factory=dict[str, Any])  # as the service sent it, as JSON


@dataclass(frozen=True, slots=True, eq=False)
class FetchedCandles:
    """One answer: closed candles of [start, end), oldest first, times rising, prices unadjusted.

    opened_ms, closed_ms: (n,) int64, UTC milliseconds; closed_ms is exclusive
    open, high, low, close, volume: (n,) float64, finite, prices > 0
    session_on: (n) dates in markets with sessions, None in 24/7 markets
    actions: from the span's start until today, because a vendor adjusts for later splits too
    request: the request, as JSON
    origin: whether the real service answered or a `mela replay`
    as_of_ms: the service's clock when it answered; candles that had closed by then are included
    resampled_from: the interval of the service's candles, if these were resampled from them
    incomplete_ms: opened_ms of resampled candles that lack an expected part
    """

    instrument: Instrument
    interval: Interval
    opened_ms: Int
    closed_ms: Int
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    session_on: list[date] | None
    actions: tuple[CorporateAction, ...]
    rejected: tuple[Rejection, ...]
    request: dict[str, Any]
    origin: Origin
    source: str
    as_of_ms: int | None = None
    resampled_from: Interval | None = None
    incomplete_ms: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.opened_ms)


class CandleSource(Protocol):
    """A market-data service: a request goes in, candles come out.

    `fetch` raises SourceRefused if the request is wrong: an unknown symbol, an interval that the
    service neither offers nor allows to be resampled, or history that it no longer keeps. It raises
    SourceUnavailable if the service does not answer after several attempts or its breaker is open
    (`retry_after_s` says for how long, if known), and ValueError for a time without a zone or an
    end that is not after the start.
    """

    def fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        """Return the closed candles with start ≤ opened_at < end. An empty answer is valid."""
        ...


def span_ms(start: datetime, end: datetime) -> tuple[int, int]:
    """Return [start, end) in UTC milliseconds. Raises ValueError for an invalid span."""
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError(f"expected times with a zone, but found {start} and {end}")
    if end <= start:
        raise ValueError(f"expected an end after the start, but found {start} to {end}")
    return to_ms(start), to_ms(end)


def to_ms(instant: datetime) -> int:
    """Return an instant in UTC milliseconds, rounded up, which keeps half-open spans exact."""
    return -((EPOCH - instant) // timedelta(milliseconds=1))
