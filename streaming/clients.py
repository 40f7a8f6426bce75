"""What a process keeps from batch to batch: its candle reader, and what it derived from candles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backtests.candles.prepared import PreparedCache
from mela.candles import Candles
from mela.interval import Interval
from mela.settings import Settings
from warehouse.candles.reader import CandleReader

_readers: dict[str, CandleReader] = {}
_spans: OrderedDict[Candles, PreparedCache] = OrderedDict()  # candles are equal only to themselves
_joined: OrderedDict[tuple[Any, ...], Candles] = OrderedDict()
SERIES_KEPT = 2  # a scene's chunks come series by series


def reader_of(settings: Settings) -> CandleReader:
    """Return this process's candle reader for a warehouse or a snapshot."""
    key = f"{settings.postgres.url()} {settings.candles}"
    if key not in _readers:
        _readers[key] = CandleReader(settings)
    return _readers[key]


def with_inputs(candles: Candles, inputs: Mapping[tuple[str, Interval], Candles]) -> Candles:
    """Return candles with the series of a strategy's inputs, the same object for the same ones."""
    if not inputs:
        return candles
    key = (candles, *inputs.items())
    if key not in _joined:
        _joined[key] = replace(candles, inputs=inputs)
        while len(_joined) > SERIES_KEPT:
            _joined.popitem(last=False)
    _joined.move_to_end(key)
    return _joined[key]


def spans_of(candles: Candles) -> PreparedCache:
    """Return the spans of candles, kept so that each indicator is computed once."""
    if candles not in _spans:
        _spans[candles] = PreparedCache(candles)
        while len(_spans) > SERIES_KEPT:
            _spans.popitem(last=False)
    _spans.move_to_end(candles)
    return _spans[candles]
