"""Convert yfinance's frames into candles and corporate actions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from mela.calendars import closes_ms, date_ms
from mela.interval import DAY_MS, Interval
from sources.protocol import CorporateAction, Int
from sources.row_validation import Rows
from sources.splits import dividend_as_paid, ratios, restore_prices, restore_volumes, split

COLUMNS = ("Open", "High", "Low", "Close", "Volume")
_SPLIT, _PAID = EVENTS = ("Stock Splits", "Dividends")


def rows_of(prices: pd.DataFrame, interval: Interval, calendar: str) -> Rows:
    """Return the candles of a frame, split-adjusted as Yahoo sends them."""
    opened = _opened_ms(prices, interval)
    open_, high, low, close, volume = (prices[name].to_numpy(np.float64) for name in COLUMNS)
    closed = closes_ms(calendar, interval, opened)
    return Rows(opened, closed, open_, high, low, close, volume)


def undo_split_adjustment(rows: Rows, splits: Sequence[CorporateAction]) -> Rows:
    """Return candles at the prices that were traded, in shares of the day each candle opened."""
    ratio = ratios(rows.opened_ms, splits)
    return Rows(
        rows.opened_ms,
        rows.closed_ms,
        restore_prices(rows.open, ratio),
        restore_prices(rows.high, ratio),
        restore_prices(rows.low, ratio),
        restore_prices(rows.close, ratio),
        restore_volumes(rows.volume, ratio),
    )


def actions_of(daily: pd.DataFrame, start_ms: int) -> tuple[CorporateAction, ...]:
    """Return the events of a daily answer, oldest first; on one day, a split before a dividend."""
    if daily.empty:
        return ()
    days: list[date] = [stamp.date() for stamp in pd.DatetimeIndex(daily.index)]
    values = {name: daily[name].to_numpy(np.float64) for name in EVENTS}
    splits = [split(day, float(v)) for day, v in zip(days, values[_SPLIT], strict=True) if v]
    paid = [
        dividend_as_paid(day, float(v), splits)
        for day, v in zip(days, values[_PAID], strict=True)
        if v
    ]
    since = start_ms - start_ms % DAY_MS
    actions = [event for event in (*splits, *paid) if event.effective_ms >= since]
    return tuple(sorted(actions, key=lambda event: (event.effective_ms, event.kind != "split")))


def _opened_ms(prices: pd.DataFrame, interval: Interval) -> Int:
    index = pd.DatetimeIndex(prices.index)
    if not interval.is_intraday:  # the exchange's local midnight stands for the date
        return np.array([date_ms(stamp.date()) for stamp in index], dtype=np.int64)
    naive = index.tz_convert("UTC").tz_localize(None)
    return np.asarray(naive, "datetime64[ms]").astype(np.int64)
