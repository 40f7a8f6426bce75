"""What a process keeps over batches: its producer, its candle reader, what candles imply."""

from __future__ import annotations

from collections import OrderedDict

from backtests.candles.prepared import Spans
from mela.candles import Candles
from mela.settings import Settings
from streaming.publish import LINGER_MS, Publisher
from warehouse.candles.reader import CandleReader

_publishers: dict[tuple[str, int], Publisher] = {}
_readers: dict[str, CandleReader] = {}
_spans: OrderedDict[int, tuple[Candles, Spans]] = OrderedDict()
SERIES_KEPT = 2  # a scene's chunks come series by series


def publisher_of(settings: Settings, *, linger_ms: int = LINGER_MS) -> Publisher:
    """Return this process's producer for a broker, by how long it waits to send more at once."""
    key = settings.kafka.brokers, linger_ms
    if key not in _publishers:
        _publishers[key] = Publisher(settings.kafka, linger_ms=linger_ms)
    return _publishers[key]


def reader_of(settings: Settings) -> CandleReader:
    """Return this process's candle reader for a warehouse or a snapshot."""
    key = f"{settings.postgres.url()} {settings.candles}"
    if key not in _readers:
        _readers[key] = CandleReader(settings)
    return _readers[key]


def spans_of(candles: Candles) -> Spans:
    """Return the spans of candles that the reader may give again: indicators are computed once."""
    key = id(candles)  # the candles are kept beside it, so that no others can have this id
    if key not in _spans:
        _spans[key] = candles, Spans(candles)
        while len(_spans) > SERIES_KEPT:
            _spans.popitem(last=False)
    _spans.move_to_end(key)
    return _spans[key][1]
