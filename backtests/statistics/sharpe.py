"""Judge a Sharpe ratio: its moments, and what is left of it after many trials.

Sharpe ratios here are per period, never annualised: divide an annual one by √periods_per_year.
Kurtosis is the fourth standardised moment itself, 3 for normal returns, never the excess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from backtests.metrics.returns import STILL

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of a series of returns; all NaN but `n` if it never moves.

    n: how many returns
    sharpe: per period, mean / sample deviation (ddof 1)
    skew, kurtosis: of the sample as it is (ddof 0); kurtosis 3 for normal returns
    """

    n: int
    sharpe: float
    skew: float
    kurtosis: float


def moments(returns: Float) -> Moments:
    """Return the moments of (n,) period returns, all of them finite.

    Fewer than 2 returns, or a deviation below 1e-12, give NaN.

    >>> moments(np.array([0.01, 0.03])).sharpe == 0.02 / (0.02 / 2**0.5)
    True
    """
    n = len(returns)
    if n < 2:
        return Moments(n, math.nan, math.nan, math.nan)
    off = returns - returns.mean()
    squares = off * off
    variance = float(squares.mean())
    deviation = math.sqrt(variance * n / (n - 1))
    if not deviation >= STILL:
        return Moments(n, math.nan, math.nan, math.nan)
    skew = float((squares * off).mean()) / variance**1.5
    kurtosis = float((squares * squares).mean()) / variance**2
    return Moments(n, float(returns.mean()) / deviation, skew, kurtosis)


def probabilistic_sharpe(of: Moments, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio exceeds `benchmark`, per period as well.

    returns: NaN for fewer than 2 returns, undefined moments, or a variance that comes out ≤ 0

    >>> round(probabilistic_sharpe(Moments(n=101, sharpe=0.1, skew=0.0, kurtosis=3.0)), 4)
    0.8407

    Source: Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15
    (2012), eq. 8.
    """
    spread = _spread(of)
    if of.n < 2 or not spread > 0.0:
        return math.nan
    return float(ndtr((of.sharpe - benchmark) * math.sqrt((of.n - 1) / spread)))


def minimum_track_record(of: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return how many returns like these would prove a Sharpe ratio above `benchmark`.

    confidence: the probabilistic Sharpe ratio to reach, in (0.5, 1)
    returns: infinity where the ratio is not above the benchmark; NaN for undefined moments

    >>> daily = Moments(n=0, sharpe=2 / 252**0.5, skew=0.0, kurtosis=3.0)
    >>> round(minimum_track_record(daily, benchmark=1 / 252**0.5) / 252, 2)
    2.73

    Source: the same, eq. 11; 2.73 years is its own example.
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0.5 and 1, but is {confidence}")
    spread = _spread(of)
    if not spread > 0.0:
        return math.nan
    if of.sharpe <= benchmark:
        return math.inf
    return 1.0 + spread * (float(ndtri(confidence)) / (of.sharpe - benchmark)) ** 2


def expected_max_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of `trials` independent ones has by luck alone.

    trials: ≥ 1; variance: of the trials' Sharpe ratios, ≥ 0
    returns: 0.0 for one trial, which was not chosen among others

    >>> round(expected_max_sharpe(1_000, variance=1.0), 2)
    3.26

    Source: Bailey & López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management
    40 (2014), eq. 1, the False Strategy theorem.
    """
    if trials < 1 or not variance >= 0.0:
        raise ValueError(
            f"expected at least 1 trial and a variance of at least 0, but found {trials} "
            f"and {variance}"
        )
    if trials == 1:
        return 0.0
    # 1 − 1/N is lost to rounding for huge N, its mirror image 1/N is not.
    best, rarer = -float(ndtri(1.0 / trials)), -float(ndtri(1.0 / (trials * math.e)))
    return math.sqrt(variance) * ((1.0 - np.euler_gamma) * best + np.euler_gamma * rarer)


def deflated_sharpe(of: Moments, trials: int, variance: float) -> float:
    """Return the probability that the best of `trials` has a Sharpe ratio above what luck gives.

    of: the moments of the best one; trials, variance: as in `expected_max_sharpe`
    returns: NaN as in `probabilistic_sharpe`

    >>> best = Moments(n=1250, sharpe=2.5 / 250**0.5, skew=-3.0, kurtosis=10.0)
    >>> round(deflated_sharpe(best, trials=100, variance=0.5 / 250), 4)
    0.9004

    Source: the same, eq. 2; the numbers are its example.
    """
    return probabilistic_sharpe(of, expected_max_sharpe(trials, variance))


def _spread(of: Moments) -> float:
    """Return the variance of √(n − 1) × the estimated ratio: 1 for normal returns without edge."""
    return 1.0 - of.skew * of.sharpe + (of.kurtosis - 1.0) / 4.0 * of.sharpe**2
