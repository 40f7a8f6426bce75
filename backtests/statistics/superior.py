"""Test whether any trial of a search beats its benchmark, taking all of them into account."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.statistics.blocks import ROUNDING
from backtests.statistics.montecarlo import block_length

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
MODELS = 5_000
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Superior:
    """The test of the trials' lead over the benchmark.

    p_value: Hansen's consistent one: how likely luck alone gives the best trial such a lead; a
        share of the resamples, so that 0.0 says below 1 / resamples
    p_lower, p_upper: his bounds: bad trials left out of luck's share, or all of them in
    superior: the trials, by number, that beat it with all of them taken into account (StepM)
    size: the risk of naming even one wrongly
    tested, of: trials in the test, at most 5,000, and trials given
    block, resamples: mean length of the resampled blocks in periods, and how many resamples
    reason: why there are no numbers, else None
    """

    p_value: float | None
    p_lower: float | None
    p_upper: float | None
    superior: tuple[int, ...]
    size: float
    tested: int
    of: int
    block: int
    resamples: int
    reason: str | None = None

    def document(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "superior": list(self.superior)}


def superior(
    returns: Float,
    benchmark: Float,
    *,
    size: float = 0.05,
    block: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Superior:
    """Test whether any trial has a higher mean return than the benchmark.

    returns: (trials, periods) float64, finite; benchmark: (periods,), as that of buy and hold
    size: the family-wise error rate of the list of superior trials, in (0, 1)
    block: None takes the automatic length of the best trial's lead

    Each lead is divided by its long-run deviation before it is compared with others. `arch` gives
    the resamples; its own SPA names itself studentized but compares leads undivided (release
    8.0.0), and holds every model three times: so the sums are made here. With more than 5,000
    trials, the best and a seeded sample of the others are tested, which makes p smaller than it
    should be.

    Source: Hansen, "A Test for Superior Predictive Ability", Journal of Business & Economic
    Statistics 23 (2005); Romano & Wolf, "Stepwise Multiple Testing as Formalized Data Snooping",
    Econometrica 73 (2005).
    """
    trials, periods = returns.shape
    if benchmark.shape != (periods,):
        raise ValueError(f"expected a benchmark of {periods} periods, but found {benchmark.shape}")
    if not 0.0 < size < 1.0:
        raise ValueError(f"size must lie between 0 and 1, but is {size}")
    leads = returns - benchmark
    moving = np.flatnonzero(np.ptp(leads, axis=1) > ROUNDING) if periods > 2 else np.arange(0)
    if len(moving) == 0:
        reason = "no trial moves otherwise than its benchmark over at least three periods"
        return Superior(None, None, None, (), size, 0, trials, 0, 0, reason)
    if block is None:
        block = block_length(leads[moving[np.argmax(leads[moving].mean(axis=1))]])
    leads = leads[moving] / _long_run_deviation(leads[moving], block)[:, None]
    kept = _kept(leads.mean(axis=1), seed)
    leads = np.ascontiguousarray(leads[kept])
    means = leads.mean(axis=1)
    weights = _weights(periods, block, resamples, seed)
    drawn = weights @ leads.T
    # A lead's deviation is 1 by now, and that of its mean 1 / √periods
    hopeless = means < -math.sqrt(2.0 * math.log(math.log(periods)) / periods)
    centred = {
        "lower": np.maximum(means, 0.0),
        "consistent": np.where(hopeless, 0.0, means),
        "upper": means,
    }
    p = {
        name: float(np.mean((drawn - centre).max(axis=1) > means.max()))
        for name, centre in centred.items()
    }
    found = _stepwise(drawn - centred["consistent"], means, size)
    return Superior(
        p_value=p["consistent"],
        p_lower=p["lower"],
        p_upper=p["upper"],
        superior=tuple(int(trial) for trial in np.sort(moving[kept[found]])),
        size=size,
        tested=len(kept),
        of=trials,
        block=block,
        resamples=resamples,
    )


def _kept(means: Float, seed: int) -> NDArray[np.int64]:
    if len(means) <= MODELS:
        return np.arange(len(means))
    best = int(np.argmax(means))
    others = np.delete(np.arange(len(means)), best)
    drawn = np.random.default_rng(seed).choice(others, MODELS - 1, replace=False)
    return np.sort(np.append(drawn, best))


def _long_run_deviation(leads: Float, block: int) -> Float:
    """Return √(periods × variance of the mean) as the stationary bootstrap has it.

    Source: Politis & Romano, "The Stationary Bootstrap", Journal of the American Statistical
    Association 89 (1994), lemma 1, by the circular autocovariances' Fourier transform.
    """
    n = leads.shape[1]
    off = leads - leads.mean(axis=1, keepdims=True)
    lags = np.arange(n)
    stay = 1.0 - 1.0 / block
    kernel = (1.0 - lags / n) * stay**lags + lags / n * stay ** (n - lags)
    kernel[0] = 1.0
    # 2 Σ kernel × autocovariance over lags 1 … n − 1: even in the lag, so half of a circle of 2n.
    power = np.abs(np.fft.rfft(off, 2 * n, axis=1)) ** 2
    covariances = np.fft.irfft(power, 2 * n, axis=1)[:, :n] / n
    variance = covariances[:, 0] + 2.0 * covariances[:, 1:] @ kernel[1:]
    least = ROUNDING * covariances[:, 0]
    return np.sqrt(np.maximum(variance, least))


def _weights(periods: int, block: int, resamples: int, seed: int) -> Float:
    """Return how often each resample draws each period, as a share: (resamples, periods)."""
    from arch.bootstrap import StationaryBootstrap  # a second, most of it for ARCH models

    drawn = StationaryBootstrap(block, np.arange(periods), seed=np.random.default_rng(seed))
    weights = np.empty((resamples, periods))
    for row, (args, _) in enumerate(drawn.bootstrap(resamples)):
        weights[row] = np.bincount(args[0], minlength=periods)
    return weights / periods


def _stepwise(luck: Float, means: Float, size: float) -> Bool:
    """Return which means exceed the critical value of luck's best among those not yet named."""
    named = np.zeros(len(means), dtype=np.bool_)
    while not named.all():
        critical = np.percentile(luck[:, ~named].max(axis=1), 100.0 * (1.0 - size))
        better = ~named & (means > critical)
        if not better.any():
            break
        named |= better
    return named
