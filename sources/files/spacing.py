"""Hold candles against the interval that is asked of them: a file is not believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from sources.files.table import Int

FEWEST_STEPS = 3  # with fewer, a weekend or a holiday may be all that a file shows
LEAST_SHARE = 0.1  # of steps that are one interval: markets that trade rarely have few
_SLACK_MS = {  # a session may open late; a week or a month may be dated by its first session
    Interval.D1: 8 * HOUR_MS,
    Interval.D3: 8 * HOUR_MS,
    Interval.W1: 2 * DAY_MS,
    Interval.MO1: 10 * DAY_MS,
}
_MONTH_MS = (28 * DAY_MS - 2 * HOUR_MS, 31 * DAY_MS + 2 * HOUR_MS)


def usual_interval(opened_ms: Int) -> tuple[Interval | None, int]:
    """Return the interval at which candles mostly stand, and their usual distance in milliseconds.

    None where that is no interval. Days may be an hour longer or shorter, where clocks change.
    """
    steps = np.diff(np.unique(opened_ms))
    if len(steps) == 0:
        return None, 0
    distances, counts = np.unique(steps, return_counts=True)
    usual = int(distances[np.argmax(counts)])
    return _interval_of(usual), usual


def _interval_of(step: int) -> Interval | None:
    if _MONTH_MS[0] <= step <= _MONTH_MS[1]:
        return Interval.MO1
    for interval in Interval:
        slack = 0 if interval.is_intraday else HOUR_MS
        if interval.fixed_ms and abs(step - interval.fixed_ms) <= slack:
            return interval
    return None


def check_stated(stated: Sequence[Interval], interval: Interval, file: str) -> None:
    """Raise CandlesInvalid where a file states other intervals than the one that is asked."""
    if stated and interval not in stated:
        raise CandlesInvalid(
            f"expected {interval} candles, but {file} holds {', '.join(stated)}. "
            f"Ask for interval: {stated[0]}, or give a file of {interval} candles."
        )


def check_no_shorter(instants: Int, interval: Interval, file: str) -> None:
    """Raise CandlesInvalid where candles stand closer together than the interval allows."""
    shortest = (interval.fixed_ms or _MONTH_MS[0]) - _SLACK_MS.get(interval, 0)
    steps = np.diff(instants)
    close = np.flatnonzero((steps > 0) & (steps < shortest))
    if len(close):
        raise _not(interval, instants, int(close[0]), file)


def check_spacing(opened_ms: Int, interval: Interval, file: str) -> None:
    """Raise CandlesInvalid where candles, opening times rising, cannot be those of an interval.

    None may stand closer than the interval, and some must follow one another at its distance.
    """
    if interval.fixed_ms is None:
        months = opened_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        steps, length = np.diff(months), 1
    else:
        steps, length = np.diff(opened_ms), interval.fixed_ms
    if (steps < length).any():
        raise _not(interval, opened_ms, int(np.argmax(steps < length)), file)
    if len(steps) >= FEWEST_STEPS:
        distances, counts = np.unique(steps, return_counts=True)
        is_usual = distances[np.argmax(counts)] == length
        if is_usual or (steps == length).mean() >= LEAST_SHARE:
            return
    elif not len(steps) or (steps == length).all():
        return
    else:
        others = {_interval_of(int(step)) for step in steps} if interval.fixed_ms else {None}
        other = others.pop() if len(others) == 1 else None
        weekend = interval is Interval.D1 and other is Interval.D3
        if other in (None, interval) or weekend:
            return
    raise _not(interval, opened_ms, int(np.argmax(steps > length)), file)


def no_interval(opened_ms: Int, file: str) -> CandlesInvalid:
    """Return the error for candles that stand at no interval."""
    distance = usual_interval(opened_ms)[1]
    return CandlesInvalid(
        f"candles in {file} are mostly {distance / MINUTE_MS:g} minutes apart, which is no "
        f"interval; state one of {', '.join(Interval)} with --interval"
    )


def _not(interval: Interval, opened_ms: Int, row: int, file: str) -> CandlesInvalid:
    usual, distance = usual_interval(opened_ms)
    opens = [np.datetime64(int(ms), "ms") for ms in opened_ms[row : row + 2]]
    way_out = (
        f"Ask for interval: {usual}, or give a file of {interval} candles."
        if usual and usual is not interval
        else f"Give a file of {interval} candles."
    )
    return CandlesInvalid(
        f"expected {interval} candles, but those of {file} mostly stand {_length(distance)} apart, "
        f"as the ones that open at {opens[0]}Z and {opens[1]}Z. {way_out}"
        if usual is not interval
        else f"expected {interval} candles, but in {file} one opens at {opens[0]}Z and the next at "
        f"{opens[1]}Z, only {_length(int(opened_ms[row + 1] - opened_ms[row]))} later. {way_out}"
    )


def _length(ms: int) -> str:
    for unit, name in ((DAY_MS, "days"), (HOUR_MS, "hours"), (MINUTE_MS, "minutes")):
        if ms % unit == 0:
            return f"{ms // unit} {name if ms != unit else name[:-1]}"
    return f"{ms / 1000:g} seconds"
