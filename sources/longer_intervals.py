"""Candles of a longer interval, made of shorter ones that are in memory."""

from __future__ import annotations

from dataclasses import replace

from mela.calendars import closes_ms
from mela.candles import Candles
from mela.interval import Interval
from sources.resample import resample
from sources.row_validation import Rows


def longer_candles(candles: Candles, interval: Interval) -> Candles:
    """Return the closed candles of a longer interval, made of shorter ones of the same series."""
    columns = candles.open, candles.high, candles.low, candles.close, candles.volume
    closes = closes_ms(candles.calendar, candles.interval, candles.opened_ms)
    rows = Rows(candles.opened_ms, closes, *columns)
    resampled = resample(rows, candles.interval, interval, candles.calendar).rows
    if len(resampled):
        resampled = resampled.between(
            int(resampled.opened_ms[0]), int(resampled.opened_ms[-1]) + 1, int(closes[-1])
        )
    return replace(
        candles,
        interval=interval,
        opened_ms=resampled.opened_ms,
        **{name: getattr(resampled, name) for name in ("open", "high", "low", "close", "volume")},
        start_bar=0,
    )
