"""What can be wrong with candles: pure functions over a series' columns. docs/data-quality.md.

Times are UTC milliseconds, rising. What the database refuses (prices out of order, not finite, not
above zero, negative volumes, a close before the open, two candles at one time) is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mela.calendars import WEEKDAYS, closes_ms, expected_opens_ms, floor_ms, has_sessions
from mela.interval import DAY_MS, Interval
from mela.run import from_ms, instant_text
from warehouse.candles.adjust import Event, factors

Kind = Literal["missing", "spacing", "ohlc", "outlier", "zero_volume", "stale"]
Severity = Literal["info", "warning", "error"]
Float = NDArray[np.float64]
Int = NDArray[np.int64]
Mask = NDArray[np.bool_]

FAR = 15.0  # deviations that make a move an outlier, if it comes back
WICK_FAR = 40.0  # deviations that make a wick one: real crashes have long wicks
LEAST = 0.02  # no smaller move is one, however calm the market
COMES_BACK = 0.25  # what may remain of a move that came back, as a fraction of it
COMES_BACK_WITHIN = 3  # candles
BLOCK = 500  # candles over which the usual move is taken
NORMAL = 1.4826  # of a normal distribution: deviation / median absolute deviation
CALM = 1e-4  # the least usual move: prices have ticks
SPLITS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50])
SPLIT_WITHIN = 0.03  # how near a jump comes to a split's ratio, as a fraction
REPEATS = 3  # equal candles in a row, volume included, that only a frozen feed sends
QUIET = 10  # candles without volume in a row that are worth a word
QUIET_SHARE = 0.05  # of all candles
NO_VOLUME = 0.99  # of all candles: this market's volume is not reported


@dataclass(frozen=True, slots=True)
class Defect:
    """Candles in a row with which one thing is wrong; first_ms and last_ms are opening times."""

    kind: Kind
    first_ms: int
    last_ms: int
    candles: int
    severity: Severity
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class StoredCandles:
    """Stored candles of one series, oldest first: (n,) int64 and float64 each.

    before, after: whether more candles are stored on that side, which were not read
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
    """Return all that is wrong with stored candles, and those missing of the expected ones.

    expected: the calendar's opening times of the whole span; splits: the instrument's
    """
    expected = grid(series, expected)
    on_grid = _is_in(series.opened_ms, expected)
    return [
        *missing(series, expected),
        *spacing(series, on_grid),
        *odd_candles(series, on_grid, now_ms),
        *outliers(series, splits),
        *zero_volume(series),
    ]


def grid(series: StoredCandles, expected: Int) -> Int:
    """Return the opening times to hold stored candles against.

    Some vendors cut an exchange's session from its opening (9:30, 10:30 …), others at whole hours
    (9:00, 10:00 …): whichever more of the stored candles follow.
    """
    if not (series.interval.is_intraday and has_sessions(series.calendar)):
        return expected
    whole = np.unique(floor_ms(series.interval, expected))
    follow = [np.count_nonzero(_is_in(series.opened_ms, each)) for each in (expected, whole)]
    return whole if follow[1] > follow[0] else expected


def missing(series: StoredCandles, expected: Int) -> list[Defect]:
    """Return the gaps: candles that the market's calendar has and the warehouse lacks.

    An error; in a `24/5` market a warning, because that calendar knows no holidays and no hours.
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
    """Return the candles at the end that should be there by now; none while the first is young.

    newest_ms: when the newest stored candle opened
    after_ms: how long after its close a candle may still be on its way
    watched: an unwatched series is nobody's to keep fresh: then it is worth a word only
    until_ms: when the instrument's trading ended
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
    """Return the candles that open when the market's calendar has no candle.

    An error in a market that never closes, where the grid is arithmetic; else a warning, as
    exchanges move sessions and vendors differ on their hours.
    """
    severity: Severity = "error" if series.calendar == "24/7" else "warning"
    return [_rows("spacing", series, *ends, severity) for ends in _runs_of_true(~on_grid)]


def odd_candles(series: StoredCandles, on_grid: Mask, now_ms: int) -> list[Defect]:
    """Return candles that the database accepts and nobody should trust.

    Not yet closed (an error); closed at another time than the calendar says; the same values,
    volume included, several times in a row, as a frozen feed repeats them.
    """
    found = [
        _rows("ohlc", series, *ends, "error", {"what": "not closed yet"})
        for ends in _runs_of_true(series.closed_ms > now_ms)
    ]
    if len(series):
        closes = closes_ms(series.calendar, series.interval, series.opened_ms)
        wrong = on_grid & (closes != series.closed_ms) & (series.closed_ms <= now_ms)
        for first, last in _runs_of_true(wrong):
            said = {"what": "closed_at", "expected": instant_text(from_ms(int(closes[first])))}
            found.append(_rows("ohlc", series, first, last, "warning", said))
    for first, last in _runs_of_true(_repeats(series)):
        if last - first + 2 >= REPEATS:
            said = {"what": "repeated", "close": float(series.close[last])}
            found.append(_rows("ohlc", series, first, last, "warning", said))
    return found


def outliers(series: StoredCandles, splits: Sequence[Event]) -> list[Defect]:
    """Return moves far beyond the usual that came back, and jumps that look like unknown splits.

    A move is far at 15 robust deviations (1.4826 × the median absolute return of its 500 candles,
    at least half of the whole series') and 2 %; it came back if within 3 candles no more than a
    quarter of it remains. A wick is far at 40. Splits that are known are worked in before.
    Source: Leys et al., "Detecting outliers", J. Exp. Soc. Psychol. 49 (2013).
    """
    if len(series) < 2 * COMES_BACK_WITHIN:
        return []
    split = factors(series.opened_ms, series.close, splits).split
    price = np.log(series.close / split)
    step = np.diff(price)
    usual = _usual(step)
    marks = dict(_spikes(series, price, step, usual))
    marks = dict(_wicks(series, usual)) | marks
    if has_sessions(series.calendar):
        marks = dict(_unknown_splits(series, step, usual)) | marks
    return [marks[first] for first in sorted(marks)]


def zero_volume(series: StoredCandles) -> list[Defect]:
    """Return runs of candles without volume, and whether the market reports any.

    detail: `share` of all candles read; `moved`: those whose price moved all the same
    """
    none = series.volume == 0.0
    share = float(none.mean()) if len(series) else 0.0
    if share == 0.0:
        return []
    whole = not (series.before or series.after)
    count = int(np.count_nonzero(none))
    moved = none & (series.high > series.low)
    said: dict[str, Any] = {"share": round(share, 6), "moved": int(np.count_nonzero(moved))}
    last_ms = int(series.opened_ms[np.flatnonzero(none)[-1]])
    start_ms = int(series.opened_ms[0])
    if share >= NO_VOLUME:
        said["what"] = "volume is not reported"
        return [Defect("zero_volume", start_ms, last_ms, count, "info", said)] if whole else []
    found: dict[int, Defect] = {}
    for first, last in _runs_of_true(none):
        cut = (first == 0 and series.before) or (last == len(series) - 1 and series.after)
        if last - first + 1 >= QUIET and not cut:
            of_run = {"moved": int(np.count_nonzero(moved[first : last + 1]))}
            run = _rows("zero_volume", series, first, last, "warning", of_run)
            found[run.first_ms] = run
    if whole and share >= QUIET_SHARE:
        said["what"] = "many candles without volume"
        found[start_ms] = Defect("zero_volume", start_ms, last_ms, count, "warning", said)
    return list(found.values())


def _spikes(
    series: StoredCandles, price: Float, step: Float, usual: Float
) -> Iterator[tuple[int, Defect]]:
    taken = 0
    for index in np.flatnonzero(np.abs(step) > np.maximum(FAR * usual, LEAST)).tolist():
        if index < taken:  # the way back of the spike before
            continue
        after = price[index + 2 : index + 2 + COMES_BACK_WITHIN] - price[index]
        back = np.flatnonzero(np.abs(after) <= COMES_BACK * abs(step[index]))
        if not len(back):
            continue
        first, last = index + 1, index + 1 + int(back[0])
        taken = last + 1
        said = _move("close", float(step[index]), float(usual[index]))
        yield first, _rows("outlier", series, first, last, "warning", said)


def _wicks(series: StoredCandles, usual: Float) -> Iterator[tuple[int, Defect]]:
    up = np.log(series.high / np.maximum(series.open, series.close))[1:]
    down = np.log(np.minimum(series.open, series.close) / series.low)[1:]
    for name, wick, sign in (("high", up, 1), ("low", down, -1)):
        for index in np.flatnonzero(wick > np.maximum(WICK_FAR * usual, 5 * LEAST)).tolist():
            said = _move(name, sign * float(wick[index]), float(usual[index]))
            yield index + 1, _rows("outlier", series, index + 1, index + 1, "info", said)


def _unknown_splits(
    series: StoredCandles, step: Float, usual: Float
) -> Iterator[tuple[int, Defect]]:
    for index in np.flatnonzero(np.abs(step) > np.maximum(FAR * usual, np.log(1.4))).tolist():
        ratio = float(np.exp(abs(step[index])))
        near = float(SPLITS[np.argmin(np.abs(np.log(SPLITS / ratio)))])
        if abs(near / ratio - 1) <= SPLIT_WITHIN:
            said = _move("close", float(step[index]), float(usual[index]))
            said["looks_like_split"] = near if step[index] < 0 else round(1 / near, 6)
            yield index + 1, _rows("outlier", series, index + 1, index + 1, "warning", said)


def _move(of: str, step: float, usual: float) -> dict[str, Any]:
    return {
        "of": of,
        "move": round(float(np.expm1(step)), 6),
        "deviations": round(abs(step) / usual, 1),
    }


def _usual(step: Float) -> Float:
    """Return the usual move around each of (n,) log returns: never 0."""
    size = np.abs(step)
    whole = float(np.median(size))
    blocks = len(size) // BLOCK
    usual = np.full(len(size), whole)
    if blocks:
        medians = np.median(size[: blocks * BLOCK].reshape(blocks, BLOCK), axis=1)
        usual[: blocks * BLOCK] = np.repeat(medians, BLOCK)
        usual[blocks * BLOCK :] = np.median(size[-BLOCK:])
    return np.maximum(NORMAL * np.maximum(usual, whole / 2), CALM)


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
    """Tell of rising times which are among other rising times."""
    if not len(those):
        return np.zeros(len(these), dtype=np.bool_)
    index = np.searchsorted(those, these)
    return those[np.minimum(index, len(those) - 1)] == these


def _runs_of_true(mask: Mask) -> list[tuple[int, int]]:
    """Return first and last index of each run of true."""
    if not mask.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def grace_ms(interval: Interval) -> int:
    """Return how long a closed candle may be on its way: a daily load's day and two hours."""
    return max(DAY_MS, interval.fixed_ms or 31 * DAY_MS) + DAY_MS // 12
