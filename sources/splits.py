"""Undo Yahoo's split adjustment of prices and volumes.

Yahoo divides every price before a split by the split's ratio, rounds to six decimals and sends a
float32; it multiplies volumes. A price that no split followed is a plain float32, so the price of a
small coin keeps digits after the sixth decimal. An unadjusted price is therefore known up to this
noise times the ratio, and is rounded to it: two answers to the same question, before and after a
later split, give the same number for a price traded in cents. A price with more decimals than
survive comes back slightly coarser after a split, and so does a volume after a reverse split.
`rounding_tolerance` says by how much, so that nobody takes the difference for a restatement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mela.calendars import date_ms
from mela.interval import DAY_MS
from sources.protocol import CorporateAction, FetchedCandles, Float, Int
from sources.rounding import round_to_noise, rounding_distance

FLOAT32_NOISE = 2.0**-24  # half a unit in the last place, relative
DECIMAL_NOISE = 5e-7  # half of the sixth decimal
MONTH_MS = 31 * DAY_MS
SPLIT_ADJUSTING_SOURCES = ("yahoo",)  # their history is adjusted for splits


def ratios(opened_ms: Int, splits: Sequence[CorporateAction]) -> Float:
    """Return the factor that each candle's prices were divided by: (n,) int64 in, (n,) float64 out.

    The factor is the product of the splits that took effect after the candle opened.
    """
    result = np.ones(len(opened_ms), dtype=np.float64)
    for split in splits:
        result[opened_ms < split.effective_ms] *= split.value
    return result


def restore_prices(adjusted: Float, ratio: Float) -> Float:
    """Return prices as they were traded: (n,) float64 split-adjusted in, unadjusted out.

    >>> adjusted = np.array([np.float32(92.224286), np.float32(1.0339e-05)], np.float64)
    >>> restore_prices(adjusted, np.array([7.0, 1.0])).tolist()
    [645.57, 1.0339e-05]
    """
    decimal = np.where(ratio == 1, 0.0, DECIMAL_NOISE)
    noise = (np.abs(adjusted) * FLOAT32_NOISE + decimal) * ratio
    return round_to_noise(adjusted * ratio, np.where(np.isfinite(noise), noise, 1.0))


def restore_volumes(adjusted: Float, ratio: Float) -> Float:
    """Return volumes as they were traded, in whole shares if a split was undone.

    >>> restore_volumes(np.array([187_630_000.0, 7.0]), np.array([4.0, 1.0])).tolist()
    [46907500.0, 7.0]
    """
    split: NDArray[np.bool_] = ratio != 1
    return np.where(split, np.round(adjusted / ratio), adjusted)


def split(day: date, value: float) -> CorporateAction:
    """Return the corporate action for a split on a date."""
    return CorporateAction("split", day, date_ms(day), value)


def dividend_as_paid(
    day: date, amount: float, splits: Sequence[CorporateAction]
) -> CorporateAction:
    """Return a dividend as it was paid, from Yahoo's amount in today's shares.

    >>> dividend_as_paid(date(2012, 11, 7), 0.094643, [split(date(2014, 6, 9), 28.0)]).value
    2.65
    """
    ratio = ratios(np.array([date_ms(day)], dtype=np.int64), splits)
    noise = DECIMAL_NOISE * np.fmax(ratio, 1.0)
    value = round_to_noise(np.array([amount]) * ratio, noise)
    return CorporateAction("dividend", day, date_ms(day), float(value[0]))


class RoundingTolerance(NamedTuple):
    """Return how far two answers for one candle may differ by rounding: (n,) float64 each."""

    price: Float
    volume: Float


def rounding_tolerance(fetched: FetchedCandles) -> RoundingTolerance | None:
    """Return the tolerance for an answer's candles; None for a vendor that sends prices as traded.

    The tolerance is 0 if no split followed the candle, because both answers were computed the same
    way. Otherwise the older answer may include none, some or all of the splits after the candle, so
    the widest case counts: for a price 2 × its noise + its rounding step, with noise = price × 2⁻²⁴
        +
    5·10⁻⁷ × the largest ratio; for a volume 1 / the smallest ratio + 1, after a reverse split only.
    """
    splits = [action for action in fetched.actions if action.kind == "split"]
    if fetched.source not in SPLIT_ADJUSTING_SOURCES or not splits:
        return None
    least, most = _extremes(fetched.opened_ms, splits)
    split = np.zeros(len(fetched), np.bool_)
    for one in splits:
        split |= fetched.opened_ms < one.effective_ms
    noise = fetched.high * FLOAT32_NOISE + DECIMAL_NOISE * most
    days = max(1, -(-(fetched.interval.fixed_ms or MONTH_MS) // DAY_MS))
    shares = np.where(least < 1, days * (1 / least + 1), 0.0)
    return RoundingTolerance(np.where(split, rounding_distance(noise), 0.0), shares)


def action_tolerance(fetched: FetchedCandles) -> list[float]:
    """Return how far each corporate action may differ from an older answer by rounding alone.

    Dividends come in today's shares, so each later split makes them coarser; splits are exact.
    """
    splits = [action for action in fetched.actions if action.kind == "split"]
    if fetched.source not in SPLIT_ADJUSTING_SOURCES or not splits:
        return [0.0] * len(fetched.actions)
    days = np.array([action.effective_ms for action in fetched.actions], dtype=np.int64)
    _, most = _extremes(days, splits)
    is_later = days < max(split.effective_ms for split in splits)
    paid = np.array([action.kind == "dividend" for action in fetched.actions])
    return np.where(is_later & paid, rounding_distance(DECIMAL_NOISE * most), 0.0).tolist()


def _extremes(opened_ms: Int, splits: Sequence[CorporateAction]) -> tuple[Float, Float]:
    """Return the smallest and the largest ratio that an earlier answer may have had, 1 included."""
    ratio = np.ones(len(opened_ms), dtype=np.float64)
    least, most = ratio.copy(), ratio.copy()
    for split in sorted(splits, key=lambda one: one.effective_ms):
        ratio[opened_ms < split.effective_ms] *= split.value
        least, most = np.fmin(least, ratio), np.fmax(most, ratio)
    return least, most
