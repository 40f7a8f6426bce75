"""One producer and one candle reader for each process, kept over batches."""

from __future__ import annotations

from mela.settings import Settings
from streaming.publish import Publisher
from warehouse.candles import CandleReader

_publishers: dict[str, Publisher] = {}
_readers: dict[str, CandleReader] = {}


def publisher_of(settings: Settings) -> Publisher:
    """Return this process's producer for a broker."""
    brokers = settings.kafka.brokers
    if brokers not in _publishers:
        _publishers[brokers] = Publisher(settings.kafka)
    return _publishers[brokers]


def reader_of(settings: Settings) -> CandleReader:
    """Return this process's candle reader for a warehouse."""
    url = settings.postgres.url()
    if url not in _readers:
        _readers[url] = CandleReader(settings)
    return _readers[url]
