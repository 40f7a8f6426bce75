"""A training from candles to a judged model in a file: nothing is read and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.statistics.sharpe import moments
from forecasts.artifact import Facts, artifact, sha_of
from forecasts.dataset import Dataset, make_dataset
from forecasts.features import FeatureSet
from forecasts.fitting import check_model, fit_whole
from forecasts.judge.checkpoint import Store
from forecasts.judge.judgement import Judgement, judge
from forecasts.judge.report import card, report
from forecasts.splits import make_splits
from mela.candles import Candles
from mela.training import Training
from mela.windows import in_candles

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Finished:
    """A training that came to its end.

    content, sha: of the model's file; facts: what it carries
    dataset: the samples, for an example of the input
    """

    training: Training
    content: bytes
    sha: str
    facts: Facts
    dataset: Dataset
    judgement: Judgement

    @property
    def report(self) -> str:
        """Return the report in Markdown."""
        return report(self.judgement)

    @property
    def card(self) -> str:
        """Return the model card in Markdown."""
        through = self.facts.trained_through_ms
        return card(self.training, self.judgement, through, len(self.dataset))

    @property
    def scores(self) -> dict[str, float]:
        """Return the numbers that the registry keeps; undefined ones are NaN."""
        model, linear = self.judgement.model, self.judgement.linear
        found = {name: model.over_seeds(name)[0] for name in ("ic", "rank_ic", "auc", "brier")}
        found |= {"icir": model.icir(), "linear_rank_ic": linear.over_seeds("rank_ic")[0]}
        if model.money:
            found |= {name: model.earned(name)[0] for name in ("sharpe", "total_return")}
            found |= {"linear_sharpe": linear.earned("sharpe")[0]}
            found |= {"deflated_sharpe": self.judgement.deflated}
            found |= {"sharpe_per_day": moments(model.money[0].returns).sharpe}
        return found

    @property
    def curves(self) -> dict[str, Float]:
        """Return equity by day, from 1 on, of the first seeds and of holding; none untraded."""
        found = {"model": self.judgement.model, "linear": self.judgement.linear}
        earned = {name: row.money[0].returns for name, row in found.items() if row.money}
        if self.judgement.hold is not None:
            earned["hold"] = self.judgement.hold.returns
        return {
            name: np.cumprod(1.0 + returns, dtype=np.float64) for name, returns in earned.items()
        }


def train(
    training: Training,
    candles: Mapping[str, Candles],
    *,
    revisions: Mapping[str, int | None],
    earlier: Sequence[float] = (),
    store: Store | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Finished:
    """Judge a training's model out of fold, then fit it on all samples.

    candles: by instrument, from `FeatureSet.window` candles before the start on, with the series
        that features read; revisions: of these candles
    earlier: Sharpe ratios per day of trainings that were tried before; say: is told what is done
    store: has the parts of this training that were done before, and keeps those that are done now
    Raises SceneInvalid and CandlesMissing.
    """
    check_model(training)
    features = FeatureSet(training.features)
    say("features and labels")
    dataset = make_dataset(training, candles)
    splits = make_splits(dataset, training.splits, training.interval)
    judgement = judge(training, candles, dataset, splits, earlier=earlier, store=store, say=say)
    say("the model that is kept")
    seed = training.seeds[0]
    kept = fit_whole(training, dataset, training.model, seed)
    fixed = training.interval.fixed_ms or 0
    facts = Facts(
        training=training.facts,
        names=features.names,
        features_digest=features.digest,
        instruments=kept.prepared.instruments,
        revisions=dict(revisions),
        seed=seed,
        trained_through_ms=kept.prepared.trained_through_ms,
        label_span_ms=int((dataset.until_ms - dataset.closed_ms).max()),
        embargo_ms=in_candles(training.splits.embargo, training.interval) * fixed,
    )
    content = artifact(kept.prepared, kept.fitted.form, facts)
    return Finished(training, content, sha_of(content), facts, dataset, judgement)
