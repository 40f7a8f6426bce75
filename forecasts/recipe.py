"""The request of a training file, as the steps that a check of leaks repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forecasts.dataset import Dataset, make_dataset
from forecasts.leaks import Float
from forecasts.pipeline import fit
from forecasts.splits import Split, make_splits
from mela.candles import Candles
from mela.training import Training


@dataclass(frozen=True)
class TrainingRecipe:
    """The steps of a training up to the model, for `check_leaks`."""

    asked: Training

    def dataset(self, candles: Mapping[str, Candles]) -> Dataset:
        """Return the samples of these candles."""
        return make_dataset(self.asked, candles)

    def splits(self, dataset: Dataset) -> Sequence[Split]:
        """Return the splits."""
        return make_splits(dataset, self.asked.splits, self.asked.interval)

    def prepare(self, dataset: Dataset, split: Split) -> tuple[Float, Float]:
        """Return what the model reads: of the training part, and of the test part."""
        prepared = fit(self.asked.preparation, dataset, split)
        train, test = (
            prepared.apply(dataset.x[rows], dataset.instrument[rows])
            for rows in (split.train, split.test)
        )
        return train, test
