"""The honest numbers of a search, gathered into one verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.statistics.blocks import Blocks
from backtests.statistics.pbo import Overfitting, overfitting
from backtests.statistics.sharpe import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)
from backtests.statistics.superior import Superior, superior
from backtests.statistics.trials import Effective, effective_trials
from mela.counts import counted

Float = NDArray[np.float64]
CERTAIN = 0.95
FEW_PERIODS = 250
NORMAL_ENOUGH = 30.0  # a kurtosis above this leaves moments that one return decides


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """The evidence for a search's winner. Sharpe ratios per period; None where undefined.

    n_trials: a lower bound on what was tried; n_effective: as in `Effective`
    sharpe_variance: of the Sharpe ratios found; None for fewer than two
    winner: the moments of its period returns; luck: the Sharpe ratio that the best of n_effective
        trials has by luck alone
    psr: probability that its true Sharpe ratio is above 0, as if it had been the only trial
    dsr: that it is above `luck`, the number that certifies
    dsr_by_clusters: the same as the paper would have it: deflated by clusters and sharpe_variance;
        to compare with other tools, for it certifies too much and misses too much
    min_track_record: periods like these that would take psr to 0.95; None where none would
    pbo: share of the choices that rank in the lower half out of sample
    spa_p: Hansen's p-value of the best trial's lead over the benchmark
    notes: sentences on the limits of these numbers
    """

    n_trials: int
    n_effective: int
    sharpe_variance: float | None
    winner: Moments
    luck: float
    psr: float | None
    dsr: float | None
    dsr_by_clusters: float | None
    min_track_record: float | None
    pbo: float | None
    spa_p: float | None
    effective: Effective
    overfitting: Overfitting
    superior: Superior | None
    notes: tuple[str, ...]

    @property
    def certified(self) -> bool:
        """Tell whether the deflated Sharpe ratio is above 0.95."""
        return self.dsr is not None and self.dsr > CERTAIN

    def document(self) -> dict[str, Any]:
        """Return JSON values, `certified` included."""
        return {
            "n_trials": self.n_trials,
            "n_effective": self.n_effective,
            "sharpe_variance": self.sharpe_variance,
            "periods": self.winner.n,
            "sharpe_per_period": _defined(self.winner.sharpe),
            "skew": _defined(self.winner.skew),
            "kurtosis": _defined(self.winner.kurtosis),
            "sharpe_by_luck": self.luck,
            "psr": self.psr,
            "dsr": self.dsr,
            "dsr_by_clusters": self.dsr_by_clusters,
            "certified": self.certified,
            "min_track_record": self.min_track_record,
            "pbo": self.pbo,
            "spa_p": self.spa_p,
            "trials": self.effective.document(),
            "overfitting": self.overfitting.document(),
            "superior": None if self.superior is None else self.superior.document(),
            "notes": list(self.notes),
        }


def judge(
    winner: Float,
    blocks: Blocks,
    *,
    own: NDArray[np.bool_] | None = None,
    n_trials: int | None = None,
    returns: Float | None = None,
    benchmark: Float | None = None,
    seed: int = 0,
) -> SearchStatistics:
    """Return the verdict on the winner of a search.

    winner: (periods,) float64, its period returns over the span that it was chosen on
    blocks: of all trials that are known, the winner among them; at least one
    own: (trials,) which of them the search itself chose among, for pbo; None for all
    n_trials: how many were tried, where more are counted than `blocks` has
    returns, benchmark: (trials, periods) and (periods,), for the test against the benchmark;
        without them there is none
    seed: of what is drawn: a sample of many trials, the resamples of the test

    Trials beyond those in `blocks` count as the known ones do: n_effective grows in proportion.
    """
    if len(blocks) < 1:
        raise ValueError("expected the block sums of at least one trial, the winner's, found none")
    if (returns is None) != (benchmark is None):
        raise ValueError("expected returns and benchmark both or neither, but found one of them")
    known = len(blocks)
    tried = max(known, n_trials or 0)
    effective = effective_trials(blocks, seed=seed)
    share, of_all = tried / known, effective.variance_of_all or 0.0
    n_effective = math.ceil(effective.n_effective * share)
    found = moments(winner)
    tested = None
    if returns is not None and benchmark is not None:
        tested = superior(returns, benchmark, seed=seed)
    overfit = overfitting(blocks if own is None else blocks.at(own))
    needed = minimum_track_record(found)
    return SearchStatistics(
        n_trials=tried,
        n_effective=n_effective,
        sharpe_variance=effective.variance_of_all,
        winner=found,
        luck=expected_max_sharpe(n_effective, effective.variance_by_luck),
        psr=_defined(probabilistic_sharpe(found)),
        dsr=_defined(deflated_sharpe(found, n_effective, effective.variance_by_luck)),
        dsr_by_clusters=_defined(
            deflated_sharpe(found, math.ceil(effective.clusters * share), of_all)
        ),
        min_track_record=_defined(needed),
        pbo=overfit.pbo,
        spa_p=None if tested is None else tested.p_value,
        effective=effective,
        overfitting=overfit,
        superior=tested,
        notes=tuple(_notes(found, tried, effective, overfit, tested)),
    )


def _notes(
    winner: Moments,
    tried: int,
    effective: Effective,
    overfit: Overfitting,
    tested: Superior | None,
) -> list[str]:
    notes = ["The number of trials is a lower bound: what was tried elsewhere is not known here."]
    if tried == 1:
        notes.append("One trial was recorded, so that nothing is deflated.")
    elif effective.moving < effective.n_trials:
        still = effective.n_trials - effective.moving
        notes.append(f"{counted(still, 'trial')} never moved, counted among n_trials alone.")
    if tried > effective.n_trials:
        unknown = tried - effective.n_trials
        notes.append(
            f"Of {unknown:,} of {counted(tried, 'trial')} no returns are known; they count in "
            "proportion."
        )
    if effective.estimated:
        notes.append("The effective number of trials is an extrapolation from seeded samples.")
    if not math.isfinite(winner.sharpe):
        notes.append("The winner has no Sharpe ratio: fewer than two returns, or none that moves.")
    elif winner.n < FEW_PERIODS:
        notes.append(f"Of {counted(winner.n, 'period')} skew and kurtosis are hardly known.")
    if winner.kurtosis > NORMAL_ENOUGH:
        notes.append(
            f"A kurtosis of {winner.kurtosis:.0f} says that a few returns decide: the "
            "probabilistic and the deflated Sharpe ratio, which are approximations for many "
            "returns, may be far off."
        )
    if overfit.reason:
        notes.append(f"There is no probability of overfitting (PBO): {overfit.reason}.")
    if tested is None:
        notes.append(
            "There is no test against buying and holding (SPA): the trials' period returns were "
            "not given."
        )
    elif tested.reason:
        notes.append(f"There is no test against buying and holding (SPA): {tested.reason}.")
    elif tested.tested < tested.of:
        notes.append(
            f"The test against buying and holding (SPA) covers {tested.tested} of "
            f"{counted(tested.of, 'trial')}, so that its p is smaller than it should be."
        )
    return notes


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
