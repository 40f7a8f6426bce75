"""The rules of candle quality: pure functions over a series' columns. See docs/data-quality.md.

Times are rising UTC milliseconds. The rules skip what the database already rejects: inconsistent,
infinite or non-positive prices, negative volumes, a close before the open, duplicate times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mela.calendars import WEEKDAYS, closes_ms, expected_opens_ms, floor_ms, has_sessions
from mela.interval import DAY_MS, Interval
from mela.market_hours import opens_in
from mela.run import from_ms, instant_text
from warehouse.candles.adjust import Event, factors

Kind = Literal["missing", "spacing", "ohlc", "outlier", "zero_volume", "stale"]
Severity = Literal["info", "warning", "error"]
Float = NDArray[np.float64]
Int = NDArray[np.int64]
Mask = NDArray[np.bool_]

OUTLIER_DEVIATIONS = 15.0  # deviations that make a move an outlier, if it reverts
WICK_DEVIATIONS = 40.0  # the same for a wick: real crashes have long wicks
MIN_MOVE = 0.02  # smaller moves are never outliers, however calm the market
REVERSAL_REST = 0.25  # the fraction of a move that may remain after it reverted
REVERSAL_CANDLES = 3  # candles
VOLATILITY_WINDOW = 500  # candles per estimate of the typical move
MAD_TO_DEVIATION = 1.4826  # deviation / median absolute deviation of a normal distribution
MIN_VOLATILITY = 1e-4  # the smallest typical move, because prices have ticks
SPLIT_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50])
SPLIT_TOLERANCE = 0.03  # the largest relative distance between a jump and a split's ratio
FROZEN_CANDLES = 3  # identical candles in a row that indicate a frozen feed
ZERO_VOLUME_RUN = 10  # candles without volume in a row that are reported
ZERO_VOLUME_SHARE = 0.05  # share of candles without volume that is reported
UNREPORTED_VOLUME_SHARE = 0.99  # from this share on, the market does not report volume


@dataclass(frozen=True, slots=True)
class Defect:
    """Consecutive candles with one problem. first_ms and last_ms are opening times."""

    kind: Kind
    first_ms: int
    last_ms: int
    candles: int
    severity: Severity
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class StoredCandles:
    """Stored candles of one series, oldest first: (n,) int64 and float64 each.

    before, after: whether more candles are stored on that side that were not read
    """

    calendar: str
    interval: Interval
    opened_ms: Int
    closed_ms: Int
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    before: bool = False
    after: bool = False

    def __len__(self) -> int:
        return len(self.opened_ms)


def check(
    series: StoredCandles, expected: Int, splits: Sequence[Event], now_ms: int
) -> list[Defect]:
    """Return all defects of stored candles, and the gaps among the expected ones.

    expected: the calendar's opening times of the whole span; splits: the instrument's splits
    """
    expected = grid(series, expected)
    on_grid = _is_in(series.opened_ms, expected)
    return [
        *missing(series, expected),
        *spacing(series, on_grid | _is_around(series)),
        *odd_candles(series, on_grid, now_ms),
        *outliers(series, splits),
        *zero_volume(series),
    ]


def grid(series: StoredCandles, expected: Int) -> Int:
    """Return the opening times to compare the stored candles with.

    Some vendors cut an exchange's session from its opening (9:30, 10:30 …), others at whole hours
    (9:00, 10:00 …). The grid that more of the stored candles follow is used.
    """
    if not (series.interval.is_intraday and has_sessions(series.calendar)):
        return expected
    whole = np.unique(floor_ms(series.interval, expected))
    follow = [np.count_nonzero(_is_in(series.opened_ms, each)) for each in (expected, whole)]
    return whole if follow[1] > follow[0] else expected


def missing(series: StoredCandles, expected: Int) -> list[Defect]:
    """Return the gaps: candles that the calendar expects and the warehouse lacks.

    A gap is an error, but a warning in a `24/5` market, whose calendar knows no holidays and hours.
    """
    if len(expected) == len(series) and np.array_equal(expected, series.opened_ms):
        return []
    severity: Severity = "warning" if series.calendar == WEEKDAYS else "error"
    absent = ~_is_in(expected, series.opened_ms)
    return [
        Defect("missing", int(expected[first]), int(expected[last]), last - first + 1, severity)
        for first, last in _runs_of_true(absent)
    ]


def stale(
    calendar: str,
    interval: Interval,
    newest_ms: int,
    now_ms: int,
    after_ms: int,
    *,
    watched: bool,
    until_ms: int | None = None,
) -> list[Defect]:
    """Return the candles that should have arrived by now; none while the first is still recent.

    newest_ms: the opening time of the newest stored candle
    after_ms: how long after its close a candle may still arrive
    watched: whether the series is on the watch list; for other series this is only information
    until_ms: the end of the instrument's trading
    """
    start, end = interval.end_ms(newest_ms), min(now_ms, until_ms or now_ms)
    due = expected_opens_ms(calendar, interval, start, end)
    due = due[closes_ms(calendar, interval, due) <= now_ms] if len(due) else due
    if not len(due):
        return []
    late_ms = now_ms - int(closes_ms(calendar, interval, due[:1])[0])
    if late_ms <= after_ms:
        return []
    severity: Severity = "info"
    if watched:
        severity = "error" if late_ms > 2 * after_ms else "warning"
    detail = {"newest": instant_text(from_ms(newest_ms)), "watched": watched}
    return [Defect("stale", int(due[0]), int(due[-1]), len(due), severity, detail)]


def spacing(series: StoredCandles, on_grid: Mask) -> list[Defect]:
    """Return the candles that open when the calendar has no candle.

    A market that never closes has an arithmetic grid, so it is an error there. Elsewhere it is a
    warning, because exchanges move sessions and vendors differ in their hours.
    """
    severity: Severity = "error" if series.calendar == "24/7" else "warning"
    return [_rows("spacing", series, *ends, severity) for ends in _runs_of_true(~on_grid)]


def _is_around(series: StoredCandles) -> Mask:
    """Tell which candles are of the hours before and after a session, where these are known."""
    if not len(series) or not has_sessions(series.calendar):
        return np.zeros(len(series), np.bool_)
    ends = int(series.opened_ms[0]), int(series.opened_ms[-1]) + 1
    return _is_in(series.opened_ms, opens_in(series.calendar, series.interval, *ends, "extended"))


def odd_candles(series: StoredCandles, on_grid: Mask, now_ms: int) -> list[Defect]:
    """Return candles that the database accepts but that look wrong.

    These are candles that have not closed yet (an error), candles that closed at another time than
    the calendar says, and identical candles in a row, volume included, as a frozen feed repeats
    them.
    """
    found = [
        _rows("ohlc", series, *ends, "error", {"what": "not closed yet"})
        for ends in _runs_of_true(series.closed_ms > now_ms)
    ]
    if len(series):
        closes = closes_ms(series.calendar, series.interval, series.opened_ms)
        wrong = on_grid & (closes != series.closed_ms) & (series.closed_ms <= now_ms)
        for first, last in _runs_of_true(wrong):
            detail = {"what": "closed_at", "expected": instant_text(from_ms(int(closes[first])))}
            found.append(_rows("ohlc", series, first, last, "warning", detail))
    for first, last in _runs_of_true(_repeats(series)):
        if last - first + 2 >= FROZEN_CANDLES:
            detail = {"what": "repeated", "close": float(series.close[last])}
            found.append(_rows("ohlc", series, first, last, "warning", detail))
    return found


def outliers(series: StoredCandles, splits: Sequence[Event]) -> list[Defect]:
    """Return extreme moves that reverted, and jumps that look like unknown splits.

    A move is extreme beyond 15 robust deviations (1.4826 × the median absolute return of its 500
    candles, at least half of the whole series') and 2 %. It reverted if at most a quarter of it
    remains within 3 candles. A wick is extreme beyond 40. Known splits are adjusted for first.
    Source: Leys et al., "Detecting outliers", J. Exp. Soc. Psychol. 49 (2013).
    """
    if len(series) < 2 * REVERSAL_CANDLES:
        return []
    split = factors(series.opened_ms, series.close, splits).split
    price = np.log(series.close / split)
    step = np.diff(price)
    typical = _typical_move(step)
    marks = dict(_spikes(series, price, step, typical))
    marks = dict(_wicks(series, typical)) | marks
    if has_sessions(series.calendar):
        marks = dict(_unknown_splits(series, step, typical)) | marks
    return [marks[first] for first in sorted(marks)]


def zero_volume(series: StoredCandles) -> list[Defect]:
    """Return runs of candles without volume, and whether the market reports volume at all.

    detail: `share` of all candles read; `moved` counts those whose price moved anyway
    """
    none = series.volume == 0.0
    share = float(none.mean()) if len(series) else 0.0
    if share == 0.0:
        return []
    whole = not (series.before or series.after)
    count = int(np.count_nonzero(none))
    moved = none & (series.high > series.low)
    detail: dict[str, Any] = {"share": round(share, 6), "moved": int(np.count_nonzero(moved))}
    last_ms = int(series.opened_ms[np.flatnonzero(none)[-1]])
    start_ms = int(series.opened_ms[0])
    if share >= UNREPORTED_VOLUME_SHARE:
        detail["what"] = "volume is not reported"
        return [Defect("zero_volume", start_ms, last_ms, count, "info", detail)] if whole else []
    found: dict[int, Defect] = {}
    for first, last in _runs_of_true(none):
        cut = (first == 0 and series.before) or (last == len(series) - 1 and series.after)
        if last - first + 1 >= ZERO_VOLUME_RUN and not cut:
            of_run = {"moved": int(np.count_nonzero(moved[first : last + 1]))}
            run = _rows("zero_volume", series, first, last, "warning", of_run)
            found[run.first_ms] = run
    if whole and share >= ZERO_VOLUME_SHARE:
        detail["what"] = "many candles without volume"
        found[start_ms] = Defect("zero_volume", start_ms, last_ms, count, "warning", detail)
    return list(found.values())


def _spikes(
    series: StoredCandles, price: Float, step: Float, typical: Float
) -> Iterator[tuple[int, Defect]]:
    taken = 0
    for index in np.flatnonzero(
        np.abs(step) > np.maximum(OUTLIER_DEVIATIONS * typical, MIN_MOVE)
    ).tolist():
        if index < taken:  # part of the previous spike's reversal
            continue
        after = price[index + 2 : index + 2 + REVERSAL_CANDLES] - price[index]
        back = np.flatnonzero(np.abs(after) <= REVERSAL_REST * abs(step[index]))
        if not len(back):
            continue
        first, last = index + 1, index + 1 + int(back[0])
        taken = last + 1
        detail = _move("close", float(step[index]), float(typical[index]))
        yield first, _rows("outlier", series, first, last, "warning", detail)


def _wicks(series: StoredCandles, typical: Float) -> Iterator[tuple[int, Defect]]:
    up = np.log(series.high / np.maximum(series.open, series.close))[1:]
    down = np.log(np.minimum(series.open, series.close) / series.low)[1:]
    for name, wick, sign in (("high", up, 1), ("low", down, -1)):
        for index in np.flatnonzero(
            wick > np.maximum(WICK_DEVIATIONS * typical, 5 * MIN_MOVE)
        ).tolist():
            detail = _move(name, sign * float(wick[index]), float(typical[index]))
            yield index + 1, _rows("outlier", series, index + 1, index + 1, "info", detail)


def _unknown_splits(
    series: StoredCandles, step: Float, typical: Float
) -> Iterator[tuple[int, Defect]]:
    for index in np.flatnonzero(
        np.abs(step) > np.maximum(OUTLIER_DEVIATIONS * typical, np.log(1.4))
    ).tolist():
        ratio = float(np.exp(abs(step[index])))
        near = float(SPLIT_RATIOS[np.argmin(np.abs(np.log(SPLIT_RATIOS / ratio)))])
        if abs(near / ratio - 1) <= SPLIT_TOLERANCE:
            detail = _move("close", float(step[index]), float(typical[index]))
            detail["looks_like_split"] = near if step[index] < 0 else round(1 / near, 6)
            yield index + 1, _rows("outlier", series, index + 1, index + 1, "warning", detail)


def _move(of: str, step: float, typical: float) -> dict[str, Any]:
    return {
        "of": of,
        "move": round(float(np.expm1(step)), 6),
        "deviations": round(abs(step) / typical, 1),
    }


def _typical_move(step: Float) -> Float:
    """Return the typical size of a move around each of (n,) log returns; never 0."""
    size = np.abs(step)
    whole = float(np.median(size))
    blocks = len(size) // VOLATILITY_WINDOW
    typical = np.full(len(size), whole)
    if blocks:
        medians = np.median(
            size[: blocks * VOLATILITY_WINDOW].reshape(blocks, VOLATILITY_WINDOW), axis=1
        )
        typical[: blocks * VOLATILITY_WINDOW] = np.repeat(medians, VOLATILITY_WINDOW)
        typical[blocks * VOLATILITY_WINDOW :] = np.median(size[-VOLATILITY_WINDOW:])
    return np.maximum(MAD_TO_DEVIATION * np.maximum(typical, whole / 2), MIN_VOLATILITY)


def _repeats(series: StoredCandles) -> Mask:
    same = np.zeros(len(series), dtype=np.bool_)
    if len(series) > 1:
        same[1:] = (series.volume[1:] > 0) & (series.high[1:] > series.low[1:])
        for name in ("open", "high", "low", "close", "volume"):
            column: Float = getattr(series, name)
            same[1:] &= column[1:] == column[:-1]
    return same


def _rows(
    kind: Kind,
    series: StoredCandles,
    first: int,
    last: int,
    severity: Severity,
    detail: dict[str, Any] | None = None,
) -> Defect:
    ends = int(series.opened_ms[first]), int(series.opened_ms[last])
    return Defect(kind, *ends, last - first + 1, severity, detail or {})


def _is_in(these: Int, those: Int) -> Mask:
    """Tell which rising times occur among other rising times."""
    if not len(those):
        return np.zeros(len(these), dtype=np.bool_)
    index = np.searchsorted(those, these)
    return those[np.minimum(index, len(those) - 1)] == these


def _runs_of_true(mask: Mask) -> list[tuple[int, int]]:
    """Return the first and last index of each run of true."""
    if not mask.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def grace_ms(interval: Interval) -> int:
    """Return how long a closed candle may take to arrive: a daily load's day and two hours."""
    return max(DAY_MS, interval.fixed_ms or 31 * DAY_MS) + DAY_MS // 12
