"""Undo what Yahoo does to prices: its splits, worked into all history, are taken out again.

Yahoo divides every price before a split by its ratio, rounds to six decimals and sends a float32;
volumes are multiplied. So an unadjusted price is known up to that noise times the ratio, and is
rounded to it: two answers to the same question, before and after a later split, give one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mela.calendars import date_ms
from sources.protocol import CorporateAction, Float, Int
from sources.rounding import round_to_noise

FLOAT32_NOISE = 2.0**-24  # half a unit in the last place, relative
DECIMAL_NOISE = 5e-7  # half of the sixth decimal


def ratios(opened_ms: Int, splits: Sequence[CorporateAction]) -> Float:
    """Return by how much each candle's prices were divided: (n,) int64 in, (n,) float64 out.

    That is the product of the splits that came into force after the candle opened.
    """
    result = np.ones(len(opened_ms), dtype=np.float64)
    for split in splits:
        result[opened_ms < split.effective_ms] *= split.value
    return result


def restore_prices(adjusted: Float, ratio: Float) -> Float:
    """Return prices as they were traded: (n,) float64 split-adjusted in, unadjusted out.

    >>> restore_prices(np.array([np.float32(92.224286)], np.float64), np.array([7.0])).tolist()
    [645.57]
    """
    noise = (np.abs(adjusted) * FLOAT32_NOISE + DECIMAL_NOISE) * ratio
    return round_to_noise(adjusted * ratio, np.where(np.isfinite(noise), noise, 1.0))


def restore_volumes(adjusted: Float, ratio: Float) -> Float:
    """Return volumes as they were traded; whole shares where a split was taken out.

    >>> restore_volumes(np.array([187_630_000.0, 7.0]), np.array([4.0, 1.0])).tolist()
    [46907500.0, 7.0]
    """
    split: NDArray[np.bool_] = ratio != 1
    return np.where(split, np.round(adjusted / ratio), adjusted)


def split(day: date, value: float) -> CorporateAction:
    """Return a split of a date."""
    return CorporateAction("split", day, date_ms(day), value)


def as_paid(day: date, amount: float, splits: Sequence[CorporateAction]) -> CorporateAction:
    """Return a dividend as it was paid on the day, from Yahoo's amount in shares of today.

    >>> as_paid(date(2012, 11, 7), 0.094643, [split(date(2014, 6, 9), 28.0)]).value
    2.65
    """
    ratio = ratios(np.array([date_ms(day)], dtype=np.int64), splits)
    noise = DECIMAL_NOISE * np.fmax(ratio, 1.0)
    value = round_to_noise(np.array([amount]) * ratio, noise)
    return CorporateAction("dividend", day, date_ms(day), float(value[0]))
