"""What MLflow missed is written later; a scene that it refuses does not stand before the others."""

from __future__ import annotations

import doctest

from streaming import mirror
from streaming.mirror import RAREST, due


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(mirror)

    assert failed == 0
    assert tried > 0


def test_a_scene_that_keeps_failing_comes_after_the_others_and_rarer() -> None:
    missing = ["poison", "a", "b"]

    for number in range(1, 65):
        tried = due(missing, {"poison": 3}, number)
        assert tried[:2] == ["a", "b"]
        assert ("poison" in tried) == (number % 8 == 0)


def test_no_scene_is_given_up_for_good() -> None:
    assert due(["poison"], {"poison": 1_000}, 2**RAREST) == ["poison"]
