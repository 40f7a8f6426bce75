"""Whether a training sees what it must not: changes it, and looks for what moves.

Nothing is read of how a recipe works. What lies outside a training part is replaced, candles that
come later are cut off, and what the recipe makes of the rest must stay the same to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from forecasts.splits import Split
from mela.candles import Candles
from mela.verdict import Verdict

Float = NDArray[np.float64]
Kind = Literal["late_information", "label_overlap", "shuffled", "fitted_on_test", "target_of_test"]


class Recipe(Protocol):
    """What a training does, in three steps."""

    def dataset(self, candles: Mapping[str, Candles]) -> Dataset:
        """Return the samples of these candles."""
        ...

    def splits(self, dataset: Dataset) -> Sequence[Split]:
        """Return the splits."""
        ...

    def prepare(self, dataset: Dataset, split: Split) -> tuple[Float, Float]:
        """Return what the model reads: of the training part, and of the test part."""
        ...


@dataclass(frozen=True, slots=True)
class Leak:
    """One leak: its kind, and a sentence that says where it was seen."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What a check found and how much it covered."""

    leaks: tuple[Leak, ...]
    samples: int
    splits: int
    cuts: int

    @property
    def verdict(self) -> Verdict:
        """Return FOUND or CLEAN; NOT_VERIFIED where nothing could be compared."""
        raise NotImplementedError


def check_leaks(recipe: Recipe, candles: Mapping[str, Candles], *, seed: int = 1) -> LeakReport:
    """Return what a recipe sees that it must not."""
    raise NotImplementedError
