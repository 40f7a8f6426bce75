"""The coins of a folder, as the pairs that exchanges list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mela.calendars import ALWAYS
from mela.interval import Interval
from replay.series import Catalog, RecordedSeries, decimals_of
from replay.synthetic import Window, stored_or_synthetic
from sources.instruments import describe

SOURCES = ("binance", "coinbase", "bitfinex", "binance-usdm")  # in order of preference


@dataclass(frozen=True, slots=True)
class Pair:
    """A symbol of the files (BTCUSDT), its two coins, and the number of decimals of its prices."""

    symbol: str
    base: str
    quote: str
    decimals: int


def pairs(catalog: Catalog, venue: str) -> list[Pair]:
    """Return every pair of the files that trades around the clock, sorted by symbol."""
    found: list[Pair] = []
    for symbol in catalog.symbols():
        series = catalog.any_of(symbol, (venue, *SOURCES))
        if series is None or series.calendar != ALWAYS:
            continue
        quote = describe(f"binance:{symbol}").quote
        decimals = decimals_of(series.columns["close"])
        found.append(Pair(symbol, symbol.removesuffix(quote), quote, decimals))
    return found


def candles(
    catalog: Catalog, pair: Pair, interval: Interval, sources: Sequence[str], window: Window
) -> tuple[RecordedSeries, str | None]:
    """Return the candles of a window, and how they were made if the files lack them.

    Rows without prices are left out, because exchanges do not send them.
    """
    found = stored_or_synthetic(catalog, pair.symbol, interval, sources, window)
    if found is None:
        shortest = catalog.any_of(pair.symbol, sources)
        if shortest is None:
            raise ValueError(f"expected a symbol of the files, but found {pair.symbol}")
        return shortest.where(slice(0, 0)), None
    series, derivation = found
    traded = series.where(np.isfinite(series.columns["close"]))
    return _inside(traded, window), derivation


def _inside(series: RecordedSeries, window: Window) -> RecordedSeries:
    """Return the oldest `limit` candles from a start on, else the newest `limit` before an end."""
    first, last = 0, len(series)
    if window.end_ms is not None:
        last = int(np.searchsorted(series.opened_ms, window.end_ms))
    if window.start_ms is None:
        return series.where(slice(max(0, last - window.limit), last))
    first = int(np.searchsorted(series.opened_ms, window.start_ms))
    return series.where(slice(first, max(first, min(last, first + window.limit))))
