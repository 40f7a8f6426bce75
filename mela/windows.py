"""Training and test windows: walk-forward, holdout, and their arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mela.counts import counted
from mela.fields import Instant, Part
from mela.interval import DAY_MS, HOUR_MS, Interval

MAX_FOLDS = 10_000
_LENGTH = re.compile(r"(0|[1-9][0-9]{0,6})(h|d|w|c)")
_UNIT_MS = {"h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def _is_length(text: str) -> str:
    if not _LENGTH.fullmatch(text):
        raise ValueError(
            "expected a length as 12h, 90d, 52w, or 500c for 500 candles of the scene's interval, "
            f"but found {text!r}"
        )
    return text


Length = Annotated[str, AfterValidator(_is_length)]


class WalkForward(Part):
    """Choose on a window, test on the one after it, and go on to the end of the span."""

    kind: Literal["walk_forward"] = Field(
        default="walk_forward", description="windows that move through the span"
    )
    train: Length = Field(description="how long each window is in which the best is chosen")
    test: Length = Field(description="how long the window after it is, on which that is tested")
    anchored: bool = Field(
        default=False, description="train from the scene's start in each fold, ever longer"
    )
    embargo: Length = Field(default="0d", description="left out between training and test")


class Holdout(Part):
    """The end of the span, which no run of the search sees; the winner runs on it once."""

    start: Instant = Field(description="the first candle that the search does not see")


@dataclass(frozen=True, slots=True)
class Fold:
    """A window to choose in and the window after it, where the choice is tested.

    All in UTC milliseconds, half-open: a candle is in a window when start ≤ opened_at < end.
    """

    train_start_ms: int
    train_end_ms: int
    test_start_ms: int
    test_end_ms: int


def in_candles(length: str, interval: Interval) -> int:
    """Return a length in intervals of clock time. Raises ValueError where it is no whole number.

    >>> in_candles("2d", Interval.H1), in_candles("30c", Interval.MO1)
    (48, 30)
    """
    number, unit = int(length[:-1]), length[-1]
    if unit == "c" or number == 0:
        return number
    fixed = interval.fixed_ms
    if fixed is None or number * _UNIT_MS[unit] % fixed:
        raise ValueError(
            f"expected a whole number of {interval} candles, but {length} is none; count candles, "
            "as 12c"
        )
    return number * _UNIT_MS[unit] // fixed


def folds_of(
    validation: WalkForward, start_ms: int, end_ms: int, interval: Interval
) -> tuple[Fold, ...]:
    """Return the folds that a scene asks for. Raises ValueError where they do not fit its span."""
    return folds(
        start_ms,
        end_ms,
        interval,
        in_candles(validation.train, interval),
        in_candles(validation.test, interval),
        anchored=validation.anchored,
        embargo=in_candles(validation.embargo, interval),
    )


def folds(
    start_ms: int,
    end_ms: int,
    interval: Interval,
    train: int,
    test: int,
    *,
    anchored: bool = False,
    embargo: int = 0,
) -> tuple[Fold, ...]:
    """Return the folds of [start, end), whose tests follow each other without gap or overlap.

    train, test: lengths in intervals of clock time, whether the market was open or not; ≥ 1
    anchored: training begins at the start in each fold; else it moves along with the test
    embargo: intervals between training and test that are in neither, ≥ 0

    The last test ends at `end_ms`, shorter than the others where the span does not divide.
    Raises ValueError where not one test candle fits, or for more than 10,000 folds.

    >>> day = 86_400_000
    >>> [(f.train_start_ms // day, f.train_end_ms // day, f.test_end_ms // day)
    ...  for f in folds(0, 10 * day, Interval.D1, train=4, test=3)]
    [(0, 4, 7), (3, 7, 10)]

    Source: Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), chapter 11; the
    embargo: López de Prado, "Advances in Financial Machine Learning" (2018), section 7.4.2.
    """
    if train < 1 or test < 1 or embargo < 0:
        raise ValueError(
            "expected train and test of at least 1 candle and an embargo of at least 0, but "
            f"found {train}, {test} and {embargo}"
        )
    count = _intervals(start_ms, end_ms, interval)
    first = train + embargo
    number = -(-(count - first) // test)
    if number < 1:
        raise ValueError(
            f"a walk-forward of {counted(train, 'candle')} to train and {embargo} of embargo "
            "needs more than "
            f"{first}, but the span has {count} of {interval}. Make it longer, or train on less."
        )
    if number > MAX_FOLDS:
        raise ValueError(
            f"expected at most {MAX_FOLDS} folds, but tests of {test} make {number}. Test longer."
        )
    tests = [first + at * test for at in range(number)]
    trains = [0 if anchored else begin - first for begin in tests]
    ends = [begin - embargo for begin in tests]
    at = _openings(start_ms, interval, sorted({*tests, *trains, *ends}))
    borders = [*(at[begin] for begin in tests), end_ms]
    return tuple(
        Fold(at[begin], at[stop], borders[i], borders[i + 1])
        for i, (begin, stop) in enumerate(zip(trains, ends, strict=True))
    )


def _intervals(start_ms: int, end_ms: int, interval: Interval) -> int:
    """Return how many intervals begin in [start, end), counted from start."""
    fixed = interval.fixed_ms
    if fixed is not None:
        return max(0, -(-(end_ms - start_ms) // fixed))
    count, at = 0, start_ms
    while at < end_ms:
        at = interval.end_ms(at)
        count += 1
    return count


def _openings(start_ms: int, interval: Interval, wanted: Sequence[int]) -> dict[int, int]:
    """Return when each of some intervals after the start opens; `wanted` rises."""
    fixed = interval.fixed_ms
    if fixed is not None:
        return {number: start_ms + number * fixed for number in wanted}
    opens: dict[int, int] = {}
    number, at = 0, start_ms
    for next_one in wanted:
        for _ in range(next_one - number):
            at = interval.end_ms(at)
        number = next_one
        opens[number] = at
    return opens
