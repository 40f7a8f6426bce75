"""Resample shorter candles into an interval that a service lacks.

A candle is made once its end has passed, from the parts that exist. If the calendar expected a part
that is missing, the candle is made anyway, because nothing may have been traded, and is marked
incomplete. A bucket without any part gives no candle. Prices are in shares of the day the candle
opened: parts after a split inside the candle are converted back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from mela.calendars import (
    closes_ms,
    expected_opens_ms,
    floor_ms,
    has_sessions,
    session_dates,
    sessions,
)
from mela.errors import SourceRefused
from mela.interval import DAY_MS, Interval
from sources.protocol import CorporateAction, FetchedCandles, Float, Int, span_ms
from sources.row_validation import Rows
from sources.splits import ratios

_DECIMALS = 8
MOST_NAMED = 1000  # incomplete candles that a request names individually
Fetch = Callable[[str, Interval, datetime, datetime], FetchedCandles]


@dataclass(frozen=True, slots=True, eq=False)
class ResampledRows:
    """Candles made of shorter ones. incomplete_ms: (m,) opened_ms of those that lack a part."""

    rows: Rows
    incomplete_ms: Int


def finer_interval(interval: Interval, offered: Collection[Interval]) -> Interval:
    """Return the longest offered interval whose candles add up to one candle of `interval`.

    Raises SourceRefused if there is none.

    >>> finer_interval(Interval("4h"), [Interval("1m"), Interval("1h"), Interval("1d")]).value
    '1h'
    """
    order = list(Interval)
    for finer in sorted(offered, key=order.index, reverse=True):
        if _makes(finer, interval):
            return finer
    names = ", ".join(sorted(offered, key=order.index))
    raise SourceRefused(
        f"{interval} candles are not offered and cannot be made of those that are: {names}"
    )


def resample(
    rows: Rows,
    finer: Interval,
    interval: Interval,
    calendar: str,
    splits: Sequence[CorporateAction] = (),
) -> ResampledRows:
    """Return candles of `interval` made of valid candles of `finer`, closed or not.

    rows: oldest first, unadjusted; splits: those that may fall inside a candle
    Candles begin where the calendar says (`expected_opens_ms`): at multiples since 1970 in UTC, on
    Mondays, on the first of a month; in markets with sessions, in steps from each session's open.
    """
    if len(rows) == 0:
        return ResampledRows(rows, np.array([], dtype=np.int64))
    bucket = _buckets(rows.opened_ms, finer, interval, calendar)
    opened, first = np.unique(bucket, return_index=True)
    last = np.append(first[1:], len(rows)) - 1
    parts = _in_shares_of(bucket, rows, splits)
    volume = np.array(np.round(np.add.reduceat(parts.volume, first), _DECIMALS), np.float64)
    resampled = Rows(
        opened,
        closes_ms(calendar, interval, opened),
        parts.open[first],
        np.maximum.reduceat(parts.high, first),
        np.minimum.reduceat(parts.low, first),
        parts.close[last],
        volume,
    )
    return ResampledRows(resampled, _incomplete(rows, bucket, opened, finer, interval, calendar))


def fetch_resampled(
    fetch: Fetch,
    offered: Collection[Interval],
    symbol: str,
    interval: Interval,
    start: datetime,
    end: datetime,
) -> FetchedCandles:
    """Return the closed candles of [start, end), resampled from the longest finer interval.

    fetch: how the source gets candles that the service offers; its answer must carry `as_of_ms`
    The answer and its request carry `resampled_from` and the candles that lack a part.
    """
    start_ms, end_ms = span_ms(start, end)
    finer = finer_interval(interval, offered)
    until = datetime.fromtimestamp(
        interval.end_ms(end_ms) / 1000, UTC
    )  # includes the last candle's parts
    parts = fetch(symbol, finer, start, until)
    if parts.as_of_ms is None:
        raise ValueError(f"expected an answer of {parts.source} with as_of_ms, but found none")
    splits = [action for action in parts.actions if action.kind == "split"]
    resampled = resample(rows_of(parts), finer, interval, parts.instrument.calendar, splits)
    rows = resampled.rows.between(start_ms, end_ms, parts.as_of_ms)
    rejected = tuple(r for r in parts.rejected if r.opened_ms < end_ms)
    whole = replace(
        parts,
        interval=interval,
        opened_ms=rows.opened_ms,
        closed_ms=rows.closed_ms,
        open=rows.open,
        high=rows.high,
        low=rows.low,
        close=rows.close,
        volume=rows.volume,
        session_on=session_dates(parts.instrument.calendar, interval, rows.opened_ms),
        rejected=rejected,
    )
    return mark_resampled(whole, finer, resampled.incomplete_ms)


def mark_resampled(fetched: FetchedCandles, finer: Interval, incomplete_ms: Int) -> FetchedCandles:
    """Return the answer with its source interval and incomplete candles, in its request as well."""
    own_ms = incomplete_ms[np.isin(incomplete_ms, fetched.opened_ms)].tolist()
    request = fetched.request | {"resampled_from": finer.value}
    if own_ms:
        named = [f"{np.datetime64(ms // 1000, 's')}Z" for ms in own_ms[:MOST_NAMED]]
        request |= {"incomplete": len(own_ms), "incomplete_opened_at": named}
    return replace(fetched, request=request, resampled_from=finer, incomplete_ms=tuple(own_ms))


def rows_of(fetched: FetchedCandles) -> Rows:
    """Return the candles of an answer as rows."""
    return Rows(
        fetched.opened_ms,
        fetched.closed_ms,
        fetched.open,
        fetched.high,
        fetched.low,
        fetched.close,
        fetched.volume,
    )


def _makes(finer: Interval, interval: Interval) -> bool:
    step, whole = finer.fixed_ms, interval.fixed_ms
    if step is None or finer is interval:
        return False
    if whole is None or interval is Interval.W1:  # made of days or shorter candles
        return DAY_MS % step == 0
    return whole % step == 0


def _buckets(opened_ms: Int, finer: Interval, interval: Interval, calendar: str) -> Int:
    """Return the opened_ms of the candle that each part belongs to: (n,) int64 in and out."""
    if not has_sessions(calendar) or not finer.is_intraday:
        return floor_ms(interval, opened_ms)
    known = sessions(calendar)
    index = np.searchsorted(known.close_ms, opened_ms, side="right")
    index = np.minimum(index, len(known.open_ms) - 1)
    if not interval.is_intraday:
        return floor_ms(interval, known.date_ms[index])
    open_ms = known.open_ms[index]
    step = interval.fixed_ms or DAY_MS
    return open_ms + np.maximum(opened_ms - open_ms, 0) // step * step


def _in_shares_of(bucket: Int, rows: Rows, splits: Sequence[CorporateAction]) -> Rows:
    factor = ratios(bucket, splits) / ratios(rows.opened_ms, splits)
    is_rescaled = factor != 1
    if not is_rescaled.any():
        return rows

    def rescaled(prices: Float) -> Float:
        return np.where(is_rescaled, np.round(prices * factor, _DECIMALS), prices)

    return Rows(
        rows.opened_ms,
        rows.closed_ms,
        rescaled(rows.open),
        rescaled(rows.high),
        rescaled(rows.low),
        rescaled(rows.close),
        np.where(is_rescaled, np.round(rows.volume / factor), rows.volume),
    )


def _incomplete(
    rows: Rows, bucket: Int, opened: Int, finer: Interval, interval: Interval, calendar: str
) -> Int:
    """Return the candles whose parts differ from those that the calendar expects."""
    # one more day on both sides: a date's session may begin or end on another UTC day
    since_ms, until_ms = int(opened[0]) - DAY_MS, interval.end_ms(int(opened[-1])) + DAY_MS
    expected = expected_opens_ms(calendar, finer, since_ms, until_ms)
    is_known = np.isin(rows.opened_ms, expected)
    wanted = _counts(_buckets(expected, finer, interval, calendar), opened)
    there = _counts(bucket[is_known], opened)
    return opened[(there < wanted) | np.isin(opened, bucket[~is_known])]


def _counts(bucket: Int, opened: Int) -> Int:
    found, counts = np.unique(bucket[np.isin(bucket, opened)], return_counts=True)
    result = np.zeros(len(opened), dtype=np.int64)
    result[np.searchsorted(opened, found)] = counts
    return result
