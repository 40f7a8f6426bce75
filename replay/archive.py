"""data.binance.vision: a zip of candles with its checksum for each past day and month."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from io import BytesIO
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from mela.interval import DAY_MS, Interval
from replay.answer import DERIVATION, Answer, Request, as_text
from replay.binance import SOURCES, kline_rows
from replay.series import Catalog, RecordedSeries
from replay.synthetic import Window, stored_or_synthetic

_FILE = re.compile(
    r"/data/spot/(?P<part>monthly|daily)/klines/(?P<symbol>[^\Wa-z]+)/(?P<interval>\w+)/"
    r"(?P=symbol)-(?P=interval)-(?P<day>\d{4}-\d{2}(-\d{2})?)\.zip(?P<sum>\.CHECKSUM)?"
)
MICROSECONDS_FROM_MS = int(np.datetime64("2025-01-01", "ms").astype(np.int64))
PUBLISHED_AFTER_MS = {"daily": 9 * 3_600_000, "monthly": 3 * DAY_MS}  # after the period's end
_MISSING = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'


class ArchiveApi:
    """Answer with the files that data.binance.vision would have at the catalog's current time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._zip = lru_cache(maxsize=8)(self._zipped)

    def answer(self, request: Request) -> Answer | None:
        """Return a zip or its checksum; 404 if it is not published yet or holds no candle."""
        if not request.path.startswith("/data/spot/"):
            return None
        fields = _FILE.fullmatch(unquote(request.path))
        span = fields and _span_ms(fields["part"], fields["day"])
        missing = as_text(_MISSING, 404)
        if fields is None or span is None:
            return missing
        if self._catalog.now_ms < span[1] + PUBLISHED_AFTER_MS[fields["part"]]:
            return missing
        version = self._catalog.restatements  # a restated candle makes another file
        found = self._zip(fields["symbol"], fields["interval"], fields["day"], span, version)
        if found is None:
            return missing
        body, derivation = found
        headers = {DERIVATION: derivation} if derivation else {}
        if fields["sum"]:
            name = f"{fields['symbol']}-{fields['interval']}-{fields['day']}.zip"
            return as_text(f"{hashlib.sha256(body).hexdigest()}  {name}\n", headers=headers)
        return Answer(200, body, "binary/octet-stream", headers)

    def _zipped(
        self, symbol: str, word: str, day: str, span: tuple[int, int], _version: int
    ) -> tuple[bytes, str | None] | None:
        interval = _interval(word)
        if interval is None:
            return None
        start_ms, end_ms = span
        limit = (end_ms - start_ms) // (interval.fixed_ms or 28 * DAY_MS) + 1
        window = Window(start_ms, end_ms - 1, limit)
        found = stored_or_synthetic(self._catalog, symbol, interval, SOURCES, window)
        if found is None:
            return None
        series, derivation = found
        traded = np.isfinite(series.columns["close"])
        inside = (series.opened_ms >= start_ms) & (series.opened_ms < end_ms) & traded
        if not inside.any():
            return None
        return _pack(f"{symbol}-{word}-{day}.csv", series.where(inside)), derivation


def _pack(name: str, series: RecordedSeries) -> bytes:
    """Return a zip with one file without a header row. Equal candles give equal bytes."""
    unit = 1000 if series.opened_ms[0] >= MICROSECONDS_FROM_MS else 1
    lines = [",".join(map(str, row)) for row in kline_rows(series, unit)]
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as file:
        file.writestr(ZipInfo(name), "\n".join(lines) + "\n", ZIP_DEFLATED, 1)
    return packed.getvalue()


def _interval(word: str) -> Interval | None:
    """Return the interval for the archive's name of it: Binance's names, but 1mo for a month."""
    return Interval(word) if word in list(Interval) else None


def _span_ms(part: str, day: str) -> tuple[int, int] | None:
    unit = "M" if part == "monthly" else "D"
    if (len(day) == len("2023-01")) != (unit == "M"):
        return None
    try:
        first = np.datetime64(day, unit)
    except ValueError:
        return None
    both = np.array([first, first + 1]).astype("datetime64[ms]").astype(np.int64).tolist()
    return both[0], both[1]
