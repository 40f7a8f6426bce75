"""Splits and dividends from Lean's factor files.

A line is `date,price factor,split factor,close of that date`. Its factors hold up to and including
the date, so a change between two lines took effect in the session after the first line's date.

Source: QuantConnect/Lean, Common/Data/Auxiliary/CorporateFactorProvider.cs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from mela.calendars import date_ms, sessions
from mela.interval import DAY_MS
from sources.protocol import CorporateAction, Float, Int
from sources.rounding import round_to_noise

_FACTOR_NOISE = 1e-7  # half of the seventh decimal, for two factors


@dataclass(frozen=True, slots=True)
class _Line:
    day: date
    price: float
    split: float
    close: float


@dataclass(frozen=True, slots=True)
class Factors:
    """The corporate actions of a stock, oldest first, and how dividends lower earlier prices."""

    actions: tuple[CorporateAction, ...] = ()
    lines: tuple[_Line, ...] = ()
    today: float = 1.0  # today's price factor

    def until(self, now_ms: int) -> Factors:
        """Return the events up to an instant: nobody adjusts for a future split."""
        actions = tuple(event for event in self.actions if event.effective_ms <= now_ms)
        today = float(self.price_factors(np.array([now_ms]))[0])
        return Factors(actions, self.lines, self.today * today)

    def price_factors(self, date_ms_: Int) -> Float:
        """Return the dividend adjustment of each date: (n,) int64 in, (n,) float64 ≤ 1 out."""
        if not self.lines:
            return np.ones(len(date_ms_))
        until = np.array([date_ms(line.day) for line in self.lines])
        index = np.minimum(np.searchsorted(until, date_ms_), len(until) - 1)
        return np.array([line.price for line in self.lines])[index] / self.today


def read_factors(folder: Path, symbol: str) -> Factors:
    """Read a folder's `corporate_actions/factor_files_SYMBOL.csv`; no file means no events."""
    file = folder / "corporate_actions" / f"factor_files_{symbol}.csv"
    if not file.is_file():
        return Factors()
    with file.open(newline="") as rows:
        lines = tuple(
            _Line(datetime.strptime(day, "%Y%m%d").date(), *map(float, numbers))  # noqa: DTZ007
            for day, *numbers in csv.reader(rows)
        )
    return Factors(tuple(_actions(lines)), lines)


def fraction(ratio: float) -> Fraction:
    """Return a split's ratio as it was announced.

    >>> fraction(6.99999720), fraction(1.0027002718)
    (Fraction(7, 1), Fraction(10027, 10000))
    """
    plain = Fraction(ratio).limit_denominator(20)
    near = abs(float(plain) - ratio) < 1e-5 * ratio
    return plain if near else Fraction(round(ratio, 4)).limit_denominator(10_000)


def _actions(lines: tuple[_Line, ...]) -> Iterator[CorporateAction]:
    for before, after in pairwise(lines):
        if (before.price, before.split) == (after.price, after.split):
            continue
        day = _next_session(before.day)
        if before.split != after.split:
            ratio = float(fraction(after.split / before.split))
            yield CorporateAction("split", day, date_ms(day), ratio)
        if before.price != after.price:
            paid = np.array([before.close * (1 - before.price / after.price)])
            noise = np.array([before.close * _FACTOR_NOISE])
            value = float(round_to_noise(paid, noise)[0])
            yield CorporateAction("dividend", day, date_ms(day), value)


def _next_session(day: date) -> date:
    known = sessions("XNYS").between(date_ms(day) + DAY_MS, date_ms(day) + 15 * DAY_MS)
    return known.date_ms[:1].astype("datetime64[ms]").astype("datetime64[D]").tolist()[0]
