"""The candles that a replay serves, read from a folder of Parquet files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mela.calendar_inference import infer_calendar
from mela.calendars import ALWAYS, WEEKDAYS, closes_ms, has_sessions
from mela.interval import Interval
from replay.clock import PlayClock
from replay.halts import Halts
from sources.instruments import describe

PACKAGED = Path(__file__).parent / "data"
STOCKS = "XNYS"
PRICES = ("open", "high", "low", "close", "volume")
EXTRAS = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
_NEEDED = ("source", "symbol", "interval", "open_time", *PRICES)
_CRYPTO = ("binance", "bitfinex", "coinbase", "kraken", "bybit", "okx", "bitstamp")
_LOOKED_AT = 500
_MOST_DECIMALS = 8
_END_OF_TIME_MS = 2**52
_OTHER_WORDS = {"1M": "1mo", "1wk": "1w", "60m": "1h"}

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSeries:
    """Candles of one source, symbol and interval. `columns` holds (n,) arrays, oldest first."""

    source: str
    symbol: str
    interval: Interval
    calendar: str
    opened_ms: Int
    columns: dict[str, Float]

    def __len__(self) -> int:
        return len(self.opened_ms)

    def where(self, keep: slice | NDArray[np.bool_]) -> RecordedSeries:
        """Return some of the candles."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return replace(self, opened_ms=self.opened_ms[keep], columns=columns)


class Catalog:
    """All series of a folder, and the current time of the replayed services.

    Sources of one symbol are never mixed: the caller names the sources in order of preference.
    Files of one source are combined; if two files have the same row, the first file's row counts.
    """

    def __init__(self, folder: Path, now_ms: int | None = None) -> None:
        self._series = _packaged() if folder == PACKAGED else _read(folder)
        self.folder = folder
        self.clock = PlayClock(now_ms or _latest_ms(self._series))
        self.changes: list[tuple[str, str, int]] = []
        self.unlent: dict[str, tuple[bool, bool]] = {}  # stocks that are not lent to everybody
        self.untraded: set[str] = set()  # assets that the broker does not trade
        self.halts = Halts()
        self._restated: dict[tuple[str, str], dict[int, dict[str, float]]] = {}

    @property
    def now_ms(self) -> int:
        """Return the current time of the replayed services, UTC milliseconds."""
        return self.clock.now_ms()

    def ahead(self) -> Catalog:
        """Return the same candles as they will be known at the end of time."""
        view = copy(self)
        view.clock = PlayClock(_END_OF_TIME_MS)
        return view

    @property
    def restatements(self) -> int:
        """Return how often candles were restated, or taken away by a halt."""
        return len(self.changes) + len(self.halts.said)

    def find(self, symbol: str, interval: str, sources: Sequence[str]) -> RecordedSeries | None:
        """Return a series as known now, including the candle that is still open."""
        rank = {s.source: _rank(s.source, sources) for s in self._of(symbol)}
        for source in sorted(rank, key=lambda name: (rank[name], name)):
            series = self._series.get((source, symbol, interval))
            if series is not None:
                known = int(np.searchsorted(series.opened_ms, self.now_ms, side="right"))
                return self.restated(series.where(slice(0, known)))
        return None

    def any_of(self, symbol: str, sources: Sequence[str]) -> RecordedSeries | None:
        """Return a symbol's shortest candles from the preferred source; None if unknown."""
        order = list(Interval)
        found = self._of(symbol)
        key = lambda s: (_rank(s.source, sources), s.source, order.index(s.interval))  # noqa: E731
        chosen = min(found, key=key, default=None)
        return chosen and self.restated(chosen)

    def intervals_of(self, symbol: str, source: str) -> list[Interval]:
        """Return the intervals that a source's files hold for a symbol."""
        return [series.interval for series in self._of(symbol) if series.source == source]

    def symbols(self) -> list[str]:
        """Return every symbol, sorted."""
        return sorted({symbol for _, symbol, _ in self._series})

    def restate(self, symbol: str, interval: str, opened_ms: int, values: dict[str, float]) -> None:
        """Change the values of one candle from now on, and of all candles made from it.

        values: some of open, high, low, close and volume, unadjusted as in the files
        Raises ValueError for an unknown symbol, candle or field, and for values that break a
        candle's rules.
        """
        wrong = sorted(set(values) - set(PRICES))
        if wrong or not values:
            raise ValueError(f"expected some of {', '.join(PRICES)}, but found {wrong or 'none'}")
        symbol = symbol if self._of(symbol) else re.sub(r"[-/]|=X$", "", symbol)
        known = self._of(symbol)
        if not known:
            raise ValueError(f"expected a symbol of {self.symbols()}, but found {symbol!r}")
        key = (symbol, Interval(interval).value)
        for series in known:
            if series.interval == key[1]:
                _check_restated(self.restated(series), opened_ms, values)
        candles = self._restated.setdefault(key, {})
        candles[opened_ms] = candles.get(opened_ms, {}) | values
        self.changes.append((symbol, key[1], opened_ms))

    def restated(self, series: RecordedSeries) -> RecordedSeries:
        """Return a series with all restatements applied, without what opened in a halt."""
        series = self._traded(series)
        candles = self._restated.get((series.symbol, series.interval.value))
        if not candles:
            return series
        columns = dict(series.columns)
        for opened_ms, values in list(candles.items()):
            row = np.flatnonzero(series.opened_ms == opened_ms)
            for name, value in values.items():
                columns[name] = columns[name].copy()
                columns[name][row] = value
        return replace(series, columns=columns)

    def _traded(self, series: RecordedSeries) -> RecordedSeries:
        if series.symbol not in self.halts.symbols or not series.interval.is_intraday:
            return series
        return series.where(~self.halts.holding(series.symbol, series.opened_ms))

    def _of(self, symbol: str) -> list[RecordedSeries]:
        return [series for series in self._series.values() if series.symbol == symbol]


def _check_restated(series: RecordedSeries, opened_ms: int, values: dict[str, float]) -> None:
    row = np.flatnonzero(series.opened_ms == opened_ms)
    at = np.datetime64(opened_ms, "ms")
    if len(row) == 0:
        raise ValueError(f"{series.symbol} has no {series.interval} candle that opened at {at}Z")
    candle = {name: float(series.columns[name][row[0]]) for name in PRICES} | values
    ends = (candle["open"], candle["close"])
    if not 0 < candle["low"] <= min(ends) <= max(ends) <= candle["high"]:
        prices = ", ".join(f"{name} {candle[name]}" for name in PRICES)
        raise ValueError(
            f"expected low ≤ open and close ≤ high, but the candle of {at}Z would have {prices}; "
            "say high or low too"
        )


def decimals_of(values: Float) -> int:
    """Return the number of decimals of the last values, at most eight."""
    looked_at = values[-_LOOKED_AT:]
    for decimals in range(_MOST_DECIMALS):
        if np.array_equal(np.round(looked_at, decimals), looked_at, equal_nan=True):
            return decimals
    return _MOST_DECIMALS


def _rank(source: str, sources: Sequence[str]) -> int:
    return sources.index(source) if source in sources else len(sources)


@lru_cache(maxsize=1)
def _packaged() -> dict[tuple[str, str, str], RecordedSeries]:
    return _read(PACKAGED)  # cached: the packaged files never change, and tests start many servers


def _read(folder: Path) -> dict[tuple[str, str, str], RecordedSeries]:
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise ValueError(f"expected Parquet files of candles in {folder}, but found none")
    table = pd.concat([_table(file) for file in files], ignore_index=True)
    groups = table.groupby(["source", "symbol", "interval"], sort=True)
    series = [_series(rows) for _, rows in groups]
    return {(s.source, s.symbol, s.interval.value): s for s in series}


def _table(file: Path) -> pd.DataFrame:
    table = pd.read_parquet(file)
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}; expected {', '.join(_NEEDED)}")
    words = {name: table[name].astype(str) for name in ("source", "symbol", "interval")}
    opened = pd.to_datetime(table["open_time"], utc=True).dt.tz_localize(None)
    return table.assign(**words, open_time=opened.astype("datetime64[ms]").astype("int64"))


def _series(rows: pd.DataFrame) -> RecordedSeries:
    source, symbol, word = (str(rows[name].iloc[0]) for name in ("source", "symbol", "interval"))
    rows = rows.sort_values("open_time", kind="stable").drop_duplicates("open_time")
    opened = rows["open_time"].to_numpy(np.int64)
    known = [name for name in (*PRICES, *EXTRAS) if name in rows.columns]
    rows = rows.fillna(dict.fromkeys(EXTRAS, 0))  # some files of a source have fewer columns
    columns = {name: rows[name].to_numpy(np.float64) for name in known}
    interval = Interval(_OTHER_WORDS.get(word, word))
    calendar = _calendar(source, symbol, interval, opened)
    return RecordedSeries(source, symbol, interval, calendar, opened, columns)


def _calendar(source: str, symbol: str, interval: Interval, opened_ms: Int) -> str:
    """Derive a calendar from the names of source and symbol, else from when candles open."""
    if source.startswith(_CRYPTO):
        return ALWAYS
    if "fx" in source or "forex" in source:
        return WEEKDAYS
    if "equity" in source or "stock" in source:
        known = describe(f"yahoo:{symbol}").calendar
        return known if has_sessions(known) else STOCKS
    return infer_calendar(opened_ms, interval)


def _latest_ms(known: dict[Any, RecordedSeries]) -> int:
    """Return an instant inside the newest candle; stock sessions are over by then.

    It is the middle of the shortest of the newest candles, so it lies inside the longer ones too.
    """
    never_closing = [s for s in known.values() if not has_sessions(s.calendar)]
    latest = max((int(s.opened_ms[-1]) for s in never_closing), default=0)
    steps = [s.interval.end_ms(latest) - latest for s in never_closing if s.opened_ms[-1] == latest]
    inside = latest + min(steps) // 2 if steps else 0
    closes = [
        int(closes_ms(s.calendar, s.interval, s.opened_ms).max())
        for s in known.values()
        if has_sessions(s.calendar)
    ]
    return max(inside, *closes) if closes else inside
