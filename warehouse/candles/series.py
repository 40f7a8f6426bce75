"""The interface of candle stores, which Postgres and snapshots both implement."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mela.instrument import Instrument
from mela.series import SeriesKey
from warehouse.candles.adjust import Event

FIELDS = ("open", "high", "low", "close", "volume")
NAMES = ("opened_ms", *FIELDS)
Columns = Mapping[str, NDArray[Any]]  # NAMES: opened_ms (n,) int64, rising; the rest (n,) float64


@dataclass(frozen=True, slots=True)
class SeriesState:
    """The state of a series at one moment.

    revision: the newest revision, 0 if nothing was ever loaded
    candles_key: the number of the newest revision that changed candles, and the microsecond it was
        made in; None if there are no candles. Equal keys mean equal candles, even in a warehouse
        that was rebuilt or restored. Corporate actions and facts are not part of it.
    about: what is known of the instrument
    """

    name: SeriesKey
    revision: int
    candles_key: str | None
    about: Instrument


class ChangedRange(NamedTuple):
    """The range of candles that changed after a key: those that opened in [first_ms, last_ms]."""

    first_ms: int
    last_ms: int


class OpenSeries(Protocol):
    """A series as of the moment it was opened, read in parts."""

    @property
    def series(self) -> SeriesState:
        """Return the state of the series."""
        ...

    def rows(self, start: datetime, end: datetime, warmup: int) -> Columns:
        """Return the candles of [start, end), and up to `warmup` candles before them."""
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
        """Return the range that changed after an older key; None if that is unknown."""
        ...

    def events(self, kinds: list[str], end: datetime) -> list[Event]:
        """Return the corporate actions effective before the end, oldest first."""
        ...


class CandleStore(Protocol):
    """A store of candles."""

    def open(
        self, name: SeriesKey, hint: tuple[datetime, datetime]
    ) -> AbstractContextManager[OpenSeries]:
        """Open a series. Raises CandlesMissing with the span of the hint in its message."""
        ...


def length(columns: Columns) -> int:
    """Return the number of candles."""
    return len(columns["opened_ms"])


def slice_span(columns: Columns, start_ms: int, end_ms: int, warmup: int) -> Columns:
    """Return views of the candles of [start, end), and up to `warmup` candles before them."""
    first, last = np.searchsorted(columns["opened_ms"], [start_ms, end_ms])
    chosen = slice(max(0, int(first) - warmup), int(last))
    return {name: column[chosen] for name, column in columns.items()}


def splice(older: Columns, changed: Columns, since: ChangedRange) -> Columns:
    """Return the older series with the candles of a changed range replaced."""
    first = int(np.searchsorted(older["opened_ms"], since.first_ms))
    last = int(np.searchsorted(older["opened_ms"], since.last_ms, side="right"))
    return {
        name: np.concatenate([older[name][:first], changed[name], older[name][last:]])
        for name in NAMES
    }
