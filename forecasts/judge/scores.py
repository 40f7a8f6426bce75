"""Scores of forecasts against what happened. Undefined ones are NaN."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Float = NDArray[np.float64]


class CalibrationRow(NamedTuple):
    """One class of forecasts: their bounds, how many, their mean, and how often it happened."""

    low: float
    high: float
    samples: int
    forecast: float
    happened: float


def ic(forecast: Float, outcome: Float) -> float:
    """Return the information coefficient: Pearson's correlation of forecast and outcome.

    >>> ic(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    """
    if len(forecast) < 2:
        return math.nan
    a, b = forecast - forecast.mean(), outcome - outcome.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    # what never moves has a deviation of its rounding alone
    still = 1e-12 * math.sqrt(float(forecast @ forecast) * float(outcome @ outcome))
    return round(float(a @ b) / size, 15) if size > still else math.nan


def rank_ic(forecast: Float, outcome: Float) -> float:
    """Return Spearman's correlation: the information coefficient of ranks, ties shared.

    >>> rank_ic(np.array([1.0, 2.0, 9.0]), np.array([1.0, 8.0, 64.0]))
    1.0
    """
    return ic(rankdata(forecast), rankdata(outcome))


def icir(values: Float) -> float:
    """Return the mean of information coefficients by their deviation (ddof 1) over folds.

    >>> icir(np.array([0.01, 0.03])) == 0.02 / (0.02 / 2**0.5)
    True
    """
    if len(values) < 2:
        return math.nan
    spread = float(values.std(ddof=1))
    return float(values.mean()) / spread if spread > 1e-12 else math.nan


def auc(forecast: Float, happened: Float) -> float:
    """Return the chance that a sample that happened was forecast above one that did not.

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.75

    Source: Hanley & McNeil, "The Meaning and Use of the Area under a ROC Curve" (1982).
    """
    yes = happened == 1.0
    count, others = int(yes.sum()), int((~yes).sum())
    if not count or not others:
        return math.nan
    ranks = float(rankdata(forecast)[yes].sum())
    return (ranks - count * (count + 1) / 2) / (count * others)


def brier(probability: Float, happened: Float) -> float:
    """Return the mean squared difference of a probability and what happened: 0 is perfect.

    >>> brier(np.array([1.0, 0.5]), np.array([1.0, 0.0]))
    0.125
    """
    return float(np.mean((probability - happened) ** 2)) if len(probability) else math.nan


def calibration(probability: Float, happened: Float, bins: int = 10) -> list[CalibrationRow]:
    """Return, for forecasts in classes of equal numbers, how often it happened.

    >>> calibration(np.array([0.2, 0.8]), np.array([0.0, 1.0]), bins=2)[1].happened
    1.0
    """
    order = np.argsort(probability, kind="stable")
    rows: list[CalibrationRow] = []
    for part in np.array_split(order, max(min(bins, len(order)), 1)):
        if not len(part):
            continue
        told, was = probability[part], happened[part]
        rows.append(
            CalibrationRow(
                float(told[0]), float(told[-1]), len(part), float(told.mean()), float(was.mean())
            )
        )
    return rows
