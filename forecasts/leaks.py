"""Test a training for leaks: change what it must not see, and look for what moves.

Nothing is read of how a recipe works. Candles that come later are replaced, samples outside of a
training part are replaced, and what the recipe makes of the rest must stay the same to the bit.
Spans are compared with what the labels are found to depend on, not with what they state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backtests.context import candle_closes_ms
from forecasts.dataset import Dataset
from forecasts.splits import Split
from mela.candles import Candles
from mela.instants import from_ms, instant_text
from mela.verdict import Verdict

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Kind = Literal["late_information", "label_overlap", "shuffled", "fitted_on_test", "target_of_test"]
CUTS = 8


class Recipe(Protocol):
    """The three steps of a training."""

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
    """One leak: its kind, and a sentence that says where it was seen first."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The findings of a check and its coverage: one leak of each kind at most."""

    leaks: tuple[Leak, ...]
    samples: int
    splits: int
    cuts: int

    @property
    def verdict(self) -> Verdict:
        """Return FOUND or CLEAN; NOT_VERIFIED where nothing could be compared."""
        if self.leaks:
            return Verdict.FOUND
        return Verdict.CLEAN if self.splits and self.cuts else Verdict.NOT_VERIFIED


def check_leaks(recipe: Recipe, candles: Mapping[str, Candles], *, seed: int = 1) -> LeakReport:
    """Return what a recipe sees that it must not. seed: of what replaces candles and samples."""
    rng = np.random.default_rng(seed)
    dataset = recipe.dataset(candles)
    splits = recipe.splits(dataset)
    leaks: list[Leak | None] = []
    instants = np.unique(dataset.closed_ms)
    cuts = instants[np.linspace(0, len(instants) - 2, min(CUTS, len(instants) - 1)).astype(int)]
    for until in cuts.tolist():
        leaks += _later_candles(recipe, dataset, candles, until, rng)
    for number, split in enumerate(splits):
        leaks.append(_overlap(dataset, split, number))
        leaks.append(_shuffled(dataset, split, number))
        leaks += _replaced_test(recipe, dataset, split, number, rng)
    first: dict[Kind, Leak] = {}
    for leak in leaks:
        if leak is not None:
            first.setdefault(leak.kind, leak)
    return LeakReport(tuple(first.values()), len(dataset), len(splits), len(cuts))


def _later_candles(
    recipe: Recipe,
    dataset: Dataset,
    candles: Mapping[str, Candles],
    until: int,
    rng: np.random.Generator,
) -> list[Leak | None]:
    """Replace what closes after an instant; features until then, and known labels, must stay."""
    other = recipe.dataset({name: _other_future(one, until, rng) for name, one in candles.items()})
    at = instant_text(from_ms(until))
    found: list[Leak | None] = []
    early, early_other = dataset.closed_ms <= until, other.closed_ms <= until
    ours, theirs = dataset.take(np.flatnonzero(early)), other.take(np.flatnonzero(early_other))
    place, place_other = _same_samples(ours, theirs)
    differs = (ours.x[place] != theirs.x[place_other]).any(axis=0)
    if differs.any():
        name = ours.names[int(np.flatnonzero(differs)[0])]
        found.append(
            Leak(
                "late_information",
                f"the feature {name} on candles that had closed by {at} changes when later candles "
                "change. Join what it reads by the time at which it was known.",
            )
        )
    known = ours.until_ms[place] <= until
    changed = known & (ours.y[place] != theirs.y[place_other])
    if changed.any():
        row = int(np.flatnonzero(changed)[0])
        decided = instant_text(from_ms(int(ours.closed_ms[place][row])))
        found.append(
            Leak(
                "label_overlap",
                f"the label decided at {decided} is said to be known by {at}, but changes when "
                "later candles change. State the span that it depends on.",
            )
        )
    return found


def _same_samples(first: Dataset, second: Dataset) -> tuple[Int, Int]:
    """Return the places of samples that both have, by instrument and close."""
    keys = [
        list(zip(one.instrument.tolist(), one.closed_ms.tolist(), strict=True))
        for one in (first, second)
    ]
    places = {key: place for place, key in enumerate(keys[1])}
    pairs = [(place, places[key]) for place, key in enumerate(keys[0]) if key in places]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _other_future(candles: Candles, until: int, rng: np.random.Generator) -> Candles:
    inputs = {key: _moved(one, until, rng) for key, one in candles.inputs.items()}
    return replace(_moved(candles, until, rng), inputs=MappingProxyType(inputs))


def _moved(candles: Candles, until: int, rng: np.random.Generator) -> Candles:
    """Return candles whose prices and volume are others from an instant on.

    A candle that has opened by then but not closed keeps its open, which was known.
    """
    late = candle_closes_ms(candles) > until
    factor = np.where(late, np.exp(rng.normal(0, 0.2, len(candles))), 1.0)
    columns = {name: getattr(candles, name) * factor for name in ("open", "high", "low", "close")}
    opened = late & (candles.opened_ms <= until)
    columns["open"] = np.where(opened, candles.open, columns["open"])
    columns["high"] = np.maximum(columns["high"], columns["open"])
    columns["low"] = np.minimum(columns["low"], columns["open"])
    volume = np.where(late, candles.volume * factor + 1.0, candles.volume)
    return replace(candles, volume=volume, **columns)


def _overlap(dataset: Dataset, split: Split, number: int) -> Leak | None:
    """Tell whether a training label's span meets that of a test sample."""
    train, test = dataset.take(split.train), dataset.take(split.test)
    order = np.argsort(test.closed_ms, kind="stable")
    begins, ends = test.closed_ms[order], np.maximum.accumulate(test.until_ms[order])
    # of the tests that are decided by the end of a training label, does one last until its begin?
    behind = np.searchsorted(begins, train.until_ms, side="right") - 1
    meets = (behind >= 0) & (ends[np.maximum(behind, 0)] >= train.closed_ms)
    if not meets.any():
        return None
    row = int(np.flatnonzero(meets)[0])
    span = [instant_text(from_ms(int(one))) for one in (train.closed_ms[row], train.until_ms[row])]
    return Leak(
        "label_overlap",
        f"split {number} trains on a label that is decided from {span[0]} to {span[1]}, while one "
        f"of its tests is, too; {int(meets.sum())} labels do so. Purge by the spans of labels.",
    )


def _shuffled(dataset: Dataset, split: Split, number: int) -> Leak | None:
    """Tell whether training and test samples alternate in time more often than spans explain."""
    side = np.concatenate([np.zeros(len(split.train)), np.ones(len(split.test))])
    closed = np.concatenate([dataset.closed_ms[split.train], dataset.closed_ms[split.test]])
    order = np.argsort(closed, kind="stable")
    turns = int(np.count_nonzero(np.diff(side[order])))
    most = 2 * max(1, len(split.groups))
    if turns <= most:
        return None
    return Leak(
        "shuffled",
        f"split {number} changes between training and test {turns:,} times in the order of time, "
        f"and {len(split.groups)} test spans explain {most}. Split by time, and do not shuffle.",
    )


def _replaced_test(
    recipe: Recipe, dataset: Dataset, split: Split, number: int, rng: np.random.Generator
) -> list[Leak | None]:
    """Replace what a split does not train on: what it learns must stay."""
    outside = np.ones(len(dataset), np.bool_)
    outside[split.train] = False
    train, test = recipe.prepare(dataset, split)
    x = dataset.x.copy()
    x[outside] = rng.normal(50.0, 20.0, (int(outside.sum()), x.shape[1]))
    found: list[Leak | None] = []
    if not np.array_equal(recipe.prepare(replace(dataset, x=x), split)[0], train):
        found.append(
            Leak(
                "fitted_on_test",
                f"in split {number} training features change when features outside of training "
                "change. Fit scalers, selectors and encoders on the training part alone.",
            )
        )
    y = dataset.y.copy()
    y[outside] = rng.permutation(y[outside])[::-1] + 3 * (1 + np.abs(y).max())
    other = recipe.prepare(replace(dataset, y=y), split)
    if not (np.array_equal(other[0], train) and np.array_equal(other[1], test)):
        found.append(
            Leak(
                "target_of_test",
                f"in split {number} features change when labels outside of training change. "
                "Encode by labels of the training part alone.",
            )
        )
    return found
