"""Make the candles that a folder lacks: resample longer ones, and synthesize shorter ones.

Longer candles are exactly what the service would send. Shorter ones are invented, because a folder
of hours holds nothing about its minutes. They agree with the hour (first open, last close, highest
high, lowest low, total volume) and are the same every time. The answer's header says that they are
synthetic, and the request of the load that stores them says so too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mela.calendars import ALWAYS, closes_ms
from mela.errors import SourceRefused
from mela.interval import DAY_MS, MINUTE_MS, Interval
from replay.series import EXTRAS, PRICES, Catalog, Float, Int, RecordedSeries, decimals_of
from sources.resample import finer_interval, resample
from sources.row_validation import Rows

_UNITS = 1e8  # volumes have eight decimals
_UNREST = 0.15  # noise around the straight path, as a fraction of the candle's range


@dataclass(frozen=True, slots=True)
class Window:
    """The candles of a page: `limit` of them from start_ms on, or the last before end_ms."""

    start_ms: int | None
    end_ms: int | None
    limit: int


def stored_or_synthetic(
    catalog: Catalog, symbol: str, interval: Interval, sources: Sequence[str], window: Window
) -> tuple[RecordedSeries, str | None] | None:
    """Return candles that cover a window, and how they were made; None for that if they are stored.

    Returns None if the folder has nothing to make them from. The result covers the window and may
    hold more.
    """
    stored = catalog.find(symbol, interval.value, sources)
    if stored is not None:
        return stored, None
    shortest = catalog.any_of(symbol, sources)
    if shortest is None:
        return None
    try:
        finer = finer_interval(interval, catalog.intervals_of(symbol, shortest.source))
    except SourceRefused:
        return _synthesize(catalog, shortest, interval, window)
    base = catalog.find(symbol, finer.value, (shortest.source,))
    if base is None:
        return None
    part = base.where(_rows(base, interval, window))
    return catalog.restated(resample_series(part, interval)), f"{interval} made of {finer}"


def resample_series(series: RecordedSeries, interval: Interval) -> RecordedSeries:
    """Return candles of a longer interval, including the unfinished last one."""
    traded = series.where(np.isfinite(series.columns["close"]))
    opened = traded.opened_ms
    columns = [traded.columns[name] for name in PRICES]
    rows = Rows(opened, closes_ms(series.calendar, series.interval, opened), *columns)
    resampled = resample(rows, series.interval, interval, series.calendar).rows
    found = {name: getattr(resampled, name) for name in PRICES}
    first = np.searchsorted(opened, resampled.opened_ms)
    for name in EXTRAS:
        if name in traded.columns and len(opened):
            found[name] = np.add.reduceat(traded.columns[name], first)
    return replace(series, interval=interval, opened_ms=resampled.opened_ms, columns=found)


def synthesize_minutes(series: RecordedSeries, decimals: int) -> RecordedSeries:
    """Return synthetic minutes that agree with the candles of a 24/7 series; see the module.

    decimals: the decimals of the prices
    """
    traded = series.where(np.isfinite(series.columns["close"]))
    n, each = len(traded), (series.interval.fixed_ms or 0) // MINUTE_MS
    if n == 0 or each < 2:
        return replace(traded, interval=Interval.M1)
    opens, highs, lows, closes, volumes = (traded.columns[name][:, None] for name in PRICES)
    seeds = traded.opened_ms[:, None] + np.arange(each) * MINUTE_MS
    peak, trough = _extremes(traded.opened_ms, each)
    place = np.arange(each + 1)[None, :]
    straight = _straight_path(place, peak, trough, each, (opens, highs, lows, closes))
    noisy = straight + (_random(np.append(seeds, seeds[:, -1:] + 1, 1)) - 0.5) * _UNREST * (
        highs - lows
    )
    path = np.clip(np.round(noisy, decimals), lows, highs)
    path[:, 0], path[:, -1] = opens[:, 0], closes[:, 0]
    high = np.maximum(path[:, :-1], path[:, 1:])
    low = np.minimum(path[:, :-1], path[:, 1:])
    high[np.arange(n), peak] = highs[:, 0]
    low[np.arange(n), trough] = lows[:, 0]
    minutes = (
        path[:, :-1],
        high,
        low,
        path[:, 1:],
        _split_volume(volumes[:, 0], _random(seeds + 7)),
    )
    columns = {name: values.reshape(-1) for name, values in zip(PRICES, minutes, strict=True)}
    return replace(series, interval=Interval.M1, opened_ms=seeds.reshape(-1), columns=columns)


def _synthesize(
    catalog: Catalog, base: RecordedSeries, interval: Interval, window: Window
) -> tuple[RecordedSeries, str | None] | None:
    if base.calendar != ALWAYS or list(Interval).index(interval) > list(Interval).index(
        base.interval
    ):
        return None
    known = base.where(base.opened_ms <= catalog.now_ms)
    part = known.where(_rows(known, interval, window))
    synthetic = synthesize_minutes(part, decimals_of(base.columns["close"]))
    synthetic = synthetic if interval is Interval.M1 else resample_series(synthetic, interval)
    synthetic = synthetic.where(synthetic.opened_ms <= catalog.now_ms)
    return catalog.restated(synthetic), f"{interval} made up from {base.interval}"


def _rows(base: RecordedSeries, interval: Interval, window: Window) -> slice:
    """Return the slice of base candles that a window needs, with a margin on both sides."""
    step = interval.fixed_ms or 31 * DAY_MS
    count = window.limit * step // (base.interval.fixed_ms or 28 * DAY_MS) + 1
    spare = step // (base.interval.fixed_ms or 28 * DAY_MS) + 2
    if window.start_ms is not None:
        first = int(np.searchsorted(base.opened_ms, window.start_ms))
        return slice(max(0, first - spare), first + count + spare)
    last = len(base)
    if window.end_ms is not None:
        last = int(np.searchsorted(base.opened_ms, window.end_ms, side="right"))
    return slice(max(0, last - count - spare), last + spare)


def _extremes(opened_ms: Int, each: int) -> tuple[Int, Int]:
    """Choose the minute of each candle's high and of its low; the two always differ."""
    peak = (_random(opened_ms + 1) * each).astype(np.int64)
    apart = 1 + (_random(opened_ms + 2) * (each - 1)).astype(np.int64)
    return peak, (peak + apart) % each


def _straight_path(
    place: Int, peak: Int, trough: Int, each: int, prices: tuple[Float, Float, Float, Float]
) -> Float:
    """Return straight lines from the open over both extremes to the close: (n, each + 1)."""
    opens, highs, lows, closes = prices
    peak, trough = peak[:, None], trough[:, None]
    rises = peak < trough
    first, second = np.minimum(peak, trough), np.maximum(peak, trough)
    first_extreme, second_extreme = np.where(rises, highs, lows), np.where(rises, lows, highs)
    to_first = opens + (first_extreme - opens) * place / np.maximum(first, 1)
    middle = first_extreme + (second_extreme - first_extreme) * (place - first) / (second - first)
    to_close = second_extreme + (closes - second_extreme) * (place - second) / (each - second)
    return np.where(place <= first, to_first, np.where(place <= second, middle, to_close))


def _split_volume(volumes: Float, weights: Float) -> Float:
    """Split volumes by weight into whole units that add up to the volume."""
    units = np.round(volumes * _UNITS).astype(np.int64)[:, None]
    parts = np.floor(units * (weights / weights.sum(axis=1, keepdims=True))).astype(np.int64)
    parts[:, -1] += (units - parts.sum(axis=1, keepdims=True))[:, 0]
    return np.maximum(parts, 0) / _UNITS


def _random(seeds: Int) -> Float:
    """Return a number in [0, 1) for each seed, the same every time (splitmix64)."""
    x = seeds.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / float(1 << 53)
