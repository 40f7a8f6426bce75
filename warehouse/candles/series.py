"""What a reader of candles is given of one series, whether Postgres gives it or a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mela.series import SeriesKey
from warehouse.candles.adjust import Event

FIELDS = ("open", "high", "low", "close", "volume")
NAMES = ("opened_ms", *FIELDS)
Columns = Mapping[str, NDArray[Any]]  # NAMES: opened_ms (n,) int64, rising; the rest (n,) float64


@dataclass(frozen=True, slots=True)
class SeriesState:
    """A series at one moment.

    revision: the newest of all, 0 where nothing was ever loaded
    candles_key: of the newest revision that changed candles, its number and the microsecond it was
        made in; None where there are no candles. Equal keys mean equal candles, in a warehouse
        that was made anew or restored as well. Corporate actions, tick and lot are not in it.
    """

    name: SeriesKey
    revision: int
    candles_key: str | None
    calendar: str
    tick: float | None
    lot: float | None


class ChangedRange(NamedTuple):
    """Which candles changed after a key: those that opened in [first_ms, last_ms]."""

    first_ms: int
    last_ms: int


class OpenSeries(Protocol):
    """A series as it was at the moment it was opened, to be read in parts."""

    @property
    def series(self) -> SeriesState:
        """Return which series it is."""
        ...

    def rows(self, start: datetime, end: datetime, warmup: int) -> Columns:
        """Return the candles of [start, end), and exactly `warmup` before as far as there are."""
        ...

    def whole(self) -> Columns:
        """Return all candles."""
        ...

    def between(self, first_ms: int, last_ms: int) -> Columns:
        """Return the candles that opened in [first_ms, last_ms]."""
        ...

    def extent(self) -> tuple[int, int]:
        """Return when the first and the last candle opened, in UTC milliseconds."""
        ...

    def changed_since(self, candles_key: str) -> ChangedRange | None:
        """Return what changed after an older key; None where that is not known."""
        ...

    def events(self, kinds: list[str], end: datetime) -> list[Event]:
        """Return the corporate actions effective before the end, oldest first."""
        ...


class CandleStore(Protocol):
    """Where candles come from."""

    def open(
        self, name: SeriesKey, hint: tuple[datetime, datetime]
    ) -> AbstractContextManager[OpenSeries]:
        """Open a series: an OpenSeries. Raises CandlesMissing, naming the span of the hint."""
        ...


def length(columns: Columns) -> int:
    """Return the number of candles."""
    return len(columns["opened_ms"])


def slice_span(columns: Columns, start_ms: int, end_ms: int, warmup: int) -> Columns:
    """Return views of the candles of [start, end), and `warmup` before as far as there are."""
    first, last = np.searchsorted(columns["opened_ms"], [start_ms, end_ms])
    chosen = slice(max(0, int(first) - warmup), int(last))
    return {name: column[chosen] for name, column in columns.items()}


def splice(older: Columns, changed: Columns, since: ChangedRange) -> Columns:
    """Return a series in which the candles that opened within a span are replaced."""
    first = int(np.searchsorted(older["opened_ms"], since.first_ms))
    last = int(np.searchsorted(older["opened_ms"], since.last_ms, side="right"))
    return {
        name: np.concatenate([older[name][:first], changed[name], older[name][last:]])
        for name in NAMES
    }
