"""Read candles for the engine: a consistent series in numpy, with the scene's price adjustment."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from mela.candles import Candles
from mela.interval import Interval
from mela.run import to_ms
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.candles.adjust import Event, factors
from warehouse.candles.cache import CandleCache
from warehouse.candles.manifest import SnapshotMoved
from warehouse.candles.postgres_candles import MONTH_MS, PostgresCandles
from warehouse.candles.series import (
    NAMES,
    CandleStore,
    Columns,
    OpenSeries,
    SeriesState,
    slice_span,
    splice,
)
from warehouse.candles.snapshot_candles import SnapshotCandles

WAREHOUSE = "warehouse"  # the value of MELA_CANDLES for Postgres; others are addresses
APPLIED: dict[str, list[str]] = {
    "raw": [],
    "split_adjusted": ["split"],
    "total_return": ["split", "dividend"],
}
CACHE_WHOLE_UP_TO = (
    1_000_000  # candles: series up to this size are cached whole, whatever the request
)
CACHE_WHOLE_SHARE = 8  # a longer series is cached whole if at least an eighth is requested


class CandlesRead(NamedTuple):
    """Candles, and the revision of their series."""

    candles: Candles
    revision: int


class _ReadRequest(NamedTuple):
    instrument: str
    interval: Interval
    start: datetime
    end: datetime
    warmup: int
    prices: str


class _KeptRead(NamedTuple):
    read: CandlesRead
    series: SeriesState


@dataclass
class CandleReader:
    """Read candle series and keep the most recently used ones. For one thread.

    Candles come from Postgres or from a snapshot, as `settings.candles` says, through a file cache
    on local disk (warehouse.candles.cache).
    max_bytes: how much to keep in memory; the returned arrays are shared and read-only
    """

    settings: Settings
    max_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        self._kept: OrderedDict[_ReadRequest, _KeptRead] = OrderedDict()
        self._origin = candle_store(self.settings)
        self._cache = CandleCache.of(self.settings)

    def read(
        self,
        instrument: str,
        interval: Interval | str,
        start: datetime,
        end: datetime,
        warmup: int,
        prices: str,
    ) -> CandlesRead:
        """Return the candles of [start, end), and up to `warmup` candles before them.

        prices: raw, split_adjusted or total_return; only events effective before the end apply
        The revision and the candles are from the same moment. A series never loaded has revision 0
        and no candles. Raises CandlesMissing for an unknown instrument, and sqlalchemy's
        OperationalError if Postgres cannot be reached.
        """
        question = _ReadRequest(instrument, Interval(interval), start, end, warmup, prices)
        try:
            return self._answer(question)
        except SnapshotMoved:  # a newer snapshot was written since the manifest was read
            return self._answer(question)

    def _answer(self, question: _ReadRequest) -> CandlesRead:
        name = SeriesKey(question.instrument, question.interval)
        with self._origin.open(name, (question.start, question.end)) as opened:
            kept = self._kept.get(question)
            if kept is None or kept.series != opened.series:
                kept = _KeptRead(self._read(opened, question), opened.series)
        self._keep(question, kept)
        return kept.read

    def _read(self, opened: OpenSeries, question: _ReadRequest) -> CandlesRead:
        columns = self._columns(opened, question)
        events = opened.events(APPLIED[question.prices], question.end)
        candles = _candles(opened.series, _adjusted(columns, events), to_ms(question.start))
        return CandlesRead(candles, opened.series.revision)

    def _columns(self, opened: OpenSeries, question: _ReadRequest) -> Columns:
        series, span = opened.series, (to_ms(question.start), to_ms(question.end), question.warmup)
        if series.candles_key is None or self._cache.max_bytes == 0:
            return opened.rows(question.start, question.end, question.warmup)
        whole = self._cache.get(series.name, series.candles_key)
        if whole is None:
            if not _should_cache(opened, *span):
                return opened.rows(question.start, question.end, question.warmup)
            whole = self._refreshed(opened)
            self._cache.put(series.name, series.candles_key, whole)
            whole = self._cache.get(series.name, series.candles_key) or whole
        return slice_span(whole, *span)

    def _refreshed(self, opened: OpenSeries) -> Columns:
        """Return a whole series from an older cached file and the candles that changed since."""
        for key in self._cache.older(opened.series.name)[:1]:
            since = opened.changed_since(key)
            older = self._cache.get(opened.series.name, key) if since else None
            if since and older:
                return splice(older, opened.between(*since), since)
        return opened.whole()

    def _keep(self, question: _ReadRequest, kept: _KeptRead) -> None:
        self._kept[question] = kept
        self._kept.move_to_end(question)
        while sum(map(_size, self._kept.values())) > self.max_bytes:
            self._kept.popitem(last=False)


def candle_store(settings: Settings) -> CandleStore:
    """Return the candle store that this process reads from."""
    if settings.candles == WAREHOUSE:
        return PostgresCandles(settings)
    return SnapshotCandles(settings.candles)


def _should_cache(opened: OpenSeries, start_ms: int, end_ms: int, warmup: int) -> bool:
    first, last = opened.extent()
    step = opened.series.name.interval.fixed_ms or MONTH_MS
    span_ms = min(end_ms, last) - max(start_ms - warmup * step, first)
    return (last - first) // step < CACHE_WHOLE_UP_TO or span_ms * CACHE_WHOLE_SHARE >= last - first


def _adjusted(columns: Columns, events: list[Event]) -> Columns:
    if not events:
        return columns
    by = factors(columns["opened_ms"], columns["close"], events)
    prices = {
        name: columns[name] / by.split * by.dividend for name in ("open", "high", "low", "close")
    }
    return {**columns, **prices, "volume": columns["volume"] * by.split}


def _candles(series: SeriesState, columns: Columns, start_ms: int) -> Candles:
    for column in columns.values():
        column.setflags(write=False)
    values: dict[str, Any] = {name: columns[name] for name in NAMES}
    return Candles(
        interval=series.name.interval,
        **values,
        start_bar=int(np.searchsorted(columns["opened_ms"], start_ms)),
        calendar=series.about.calendar,
        tick=series.about.tick,
        lot=series.about.lot,
        multiplier=series.about.multiplier,
        about=series.about,
    )


def _size(kept: _KeptRead) -> int:
    return len(kept.read.candles) * 8 * len(NAMES)
