"""Candles ahead of the replayed clock, so that a stream knows when the next one closes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mela.interval import Interval
from mela.market_hours import closes_in
from replay.series import EXTRAS, PRICES, Catalog, Float, Int
from replay.synthetic import Window, stored_or_synthetic

_ROWS = 720  # candles read ahead at once


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle of a symbol. closed_ms: exclusive; extras: quote volume, trades, taker volumes."""

    symbol: str
    interval: Interval
    opened_ms: int
    closed_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    extras: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Chunk:
    from_ms: int
    until_ms: int  # candles that close up to here are in it
    restatements: int
    opened_ms: Int
    closed_ms: Int
    values: Float  # (n, 9)


class Tape:
    """Read candles of a catalog by when they close, whatever the time is now."""

    def __init__(self, catalog: Catalog, sources: Sequence[str]) -> None:
        self._catalog = catalog
        self._ahead = catalog.ahead()
        self._sources = tuple(sources)
        self._chunks: dict[tuple[str, Interval], _Chunk] = {}
        self._lock = threading.Lock()

    @property
    def changes(self) -> list[tuple[str, str, int]]:
        """Return which candles were restated: symbol, interval, opened_ms."""
        return self._catalog.changes

    def closing(
        self, symbol: str, interval: Interval, after_ms: int, until_ms: int
    ) -> list[Candle]:
        """Return the candles with after_ms < closed_ms ≤ until_ms, oldest first."""
        chunk = self._chunk(symbol, interval, after_ms, until_ms)
        first, last = np.searchsorted(chunk.closed_ms, (after_ms, until_ms), side="right")
        return [_candle(symbol, interval, chunk, row) for row in range(int(first), int(last))]

    def next_close_ms(self, symbol: str, interval: Interval, after_ms: int) -> int | None:
        """Return when the next candle closes; None if no more will."""
        chunk = self._chunk(symbol, interval, after_ms, after_ms)
        row = int(np.searchsorted(chunk.closed_ms, after_ms, side="right"))
        return int(chunk.closed_ms[row]) if row < len(chunk.closed_ms) else None

    def running(self, symbol: str, interval: Interval, now_ms: int) -> Candle | None:
        """Return the whole candle that is open at an instant; None if none is."""
        chunk = self._chunk(symbol, interval, now_ms, now_ms)
        row = int(np.searchsorted(chunk.closed_ms, now_ms, side="right"))
        if row == len(chunk.closed_ms) or chunk.opened_ms[row] > now_ms:
            return None
        return _candle(symbol, interval, chunk, row)

    def _chunk(self, symbol: str, interval: Interval, after_ms: int, until_ms: int) -> _Chunk:
        key = (symbol, interval)
        with self._lock:
            chunk = self._chunks.get(key)
            is_there = (
                chunk is not None
                and chunk.from_ms <= after_ms
                and until_ms < chunk.until_ms
                and chunk.restatements == self._catalog.restatements
            )
            if chunk is None or not is_there:
                chunk = self._chunks[key] = self._read(symbol, interval, after_ms, until_ms)
            return chunk

    def _read(self, symbol: str, interval: Interval, after_ms: int, until_ms: int) -> _Chunk:
        step = interval.fixed_ms or 31 * 86_400_000
        rows = _ROWS + (until_ms - after_ms) // step
        window = Window(after_ms - 2 * step, None, rows)
        restatements = self._catalog.restatements
        found = stored_or_synthetic(self._ahead, symbol, interval, self._sources, window)
        if found is None:
            nothing = np.array([], dtype=np.int64)
            values = np.zeros((0, 9), np.float64)
            return _Chunk(after_ms, 2**53, restatements, nothing, nothing, values)
        series = found[0].where(np.isfinite(found[0].columns["close"]))
        first = int(np.searchsorted(series.opened_ms, after_ms - 2 * step))
        series = series.where(slice(first, first + rows))
        closed = closes_in(series.calendar, interval, series.opened_ms, "extended")
        missing = np.zeros(len(series))
        columns = [series.columns.get(name, missing) for name in (*PRICES, *EXTRAS)]
        # a chunk that is not full holds all that there will be
        ends_ms = int(closed[-1]) if len(series) >= rows else 2**53
        return _Chunk(
            after_ms, ends_ms, restatements, series.opened_ms, closed, np.stack(columns, axis=1)
        )


def _candle(symbol: str, interval: Interval, chunk: _Chunk, row: int) -> Candle:
    opens, high, low, close, volume, *more = chunk.values[row].tolist()
    quote_volume, trades, taker_base, taker_quote = more
    return Candle(
        symbol,
        interval,
        int(chunk.opened_ms[row]),
        int(chunk.closed_ms[row]),
        opens,
        high,
        low,
        close,
        volume,
        (quote_volume, trades, taker_base, taker_quote),
    )
