"""A training that ends in between goes on from its parts, to the same model and report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecasts.judge.checkpoint import FoldScore, Part
from forecasts.judge.judgement import parts_of
from forecasts.train import Finished, train
from tests.forecasts.test_judge import momentum, small

ASKED: dict[str, Any] = {
    "model": {"name": "lightgbm", "params": {"trees": 10}},
    "seeds": [1, 2],
    "splits": {"kind": "walk_forward", "folds": 3},
}


class Killed(Exception):
    """The process ended here."""


class Kept:
    """A store that outlives a process. most: parts that are kept before the process ends."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.most: int | None = None
        self.now = 0

    def find(self, key: str) -> bytes | None:
        return self.parts.get(key)

    def keep(self, key: str, content: bytes) -> None:
        if self.now == self.most:
            raise Killed
        self.now += 1
        assert key not in self.parts
        self.parts[key] = content


def trained(store: Kept | None, strength: float = 0.3, **changes: Any) -> Finished:
    asked = small(**(ASKED | changes))
    candles = {"test:A": momentum(strength)}
    return train(asked, candles, revisions={"test:A 1h": 7}, store=store)


def test_a_part_is_read_as_it_was_written() -> None:
    score = FoldScore(2, 7, 100, 0.1, -0.2, float("nan"), 0.3)
    for importance in (None, np.array([0.5, np.nan])):
        part = Part(score, np.array([1.0, np.nan, -0.0]), importance)
        again = Part.of(part.to_bytes())
        assert repr(again.score) == repr(score)
        assert again.forecast.tobytes() == part.forecast.tobytes()
        assert (again.importance is None) == (importance is None)


@pytest.mark.parametrize("most", [0, 1, 7])
def test_a_training_that_was_killed_ends_as_one_that_was_not(most: int) -> None:
    whole = trained(None)
    store = Kept()
    store.most = most
    with pytest.raises(Killed):
        trained(store)
    assert len(store.parts) == most

    store.most, store.now = None, 0
    again = trained(store)

    assert store.now == parts_of(small(**ASKED)) - most  # what was done is not done again
    assert again.sha == whole.sha
    assert again.report == whole.report
    assert again.card == whole.card
    assert repr(again.scores) == repr(whole.scores)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": {"name": "lightgbm"}},  # which is one of the baselines, too
        {"model": {"name": "ridge"}},
        {"model": {"name": "random_forest", "params": {"trees": 5}}, "seeds": [3]},
        {"label": {"kind": "forward_sign", "horizon": 1}},
        {"splits": {"kind": "combinatorial", "groups": 4, "test_groups": 2}},
    ],
)
def test_the_parts_of_a_training_are_known_before_it_begins(changes: dict[str, Any]) -> None:
    store = Kept()
    trained(store, **changes)
    assert len(store.parts) == parts_of(small(**(ASKED | changes)))


def test_parts_of_other_candles_or_of_another_question_are_not_taken() -> None:
    store = Kept()
    trained(store)
    first = len(store.parts)
    trained(store, strength=0.2)
    assert len(store.parts) == 2 * first
    trained(store, preparation={"clip": 3.0})
    assert len(store.parts) == 3 * first
    trained(store, name="second")  # the same question by another name
    assert len(store.parts) == 3 * first
