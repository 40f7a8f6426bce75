"""The state that a process keeps between batches: its candle reader, and prepared candles."""

from __future__ import annotations

from collections import OrderedDict

from backtests.candles.prepared import PreparedCache
from mela.candles import Candles
from mela.settings import Settings
from warehouse.candles.reader import CandleReader

_readers: dict[str, CandleReader] = {}
_spans: OrderedDict[Candles, PreparedCache] = OrderedDict()  # candles are equal only to themselves
SERIES_KEPT = 2  # a scene's chunks come series by series


def reader_of(settings: Settings) -> CandleReader:
    """Return this process's candle reader for a warehouse or a snapshot."""
    key = f"{settings.postgres.url()} {settings.candles}"
    if key not in _readers:
        _readers[key] = CandleReader(settings)
    return _readers[key]


def spans_of(candles: Candles) -> PreparedCache:
    """Return the spans of candles, kept so that each indicator is computed once."""
    if candles not in _spans:
        _spans[candles] = PreparedCache(candles)
        while len(_spans) > SERIES_KEPT:
            _spans.popitem(last=False)
    _spans.move_to_end(candles)
    return _spans[candles]
