"""The translations for people who come from other libraries run, and do not look ahead."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backtests.lookahead.check import check
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.interval import DAY_MS, Interval
from mela.outcome import Outcome
from mela.run import Exits, Run, from_ms
from mela.settings import REPOSITORY
from mela.verdict import Verdict
from services.strategies.lookahead import random_walk
from tests.backtests.test_inputs_page import registered

PAGE = (REPOSITORY / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS = {
    re.findall(r"^def (\w+)", block, re.MULTILINE)[0]: block
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}
WALK = random_walk(Interval.H1, 5_000, seed=3)
FIRST_MS = int(WALK.opened_ms[0])


def executed(strategy: Strategy, **exits: float) -> Outcome:
    span = from_ms(FIRST_MS + 30 * DAY_MS), from_ms(int(WALK.opened_ms[-1]))
    params = strategy.params.model_validate({}).model_dump()
    run = Run("0" * 64, "a:X", Interval.H1, *span, strategy.name, params, 512, exits=Exits(**exits))
    (outcome,) = run_all(WALK, [run], with_curve=True, catalogue={strategy.name: strategy})
    assert outcome.error is None
    return outcome


def test_the_page_has_one_of_each_library() -> None:
    assert list(BLOCKS) == ["moved_cross", "moved_reversal", "moved_breakout"]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_translation_trades_and_sees_no_later_candle(tmp_path: Path, name: str) -> None:
    strategy = registered(tmp_path / f"page_{name}.py", BLOCKS[name], name)

    outcome = executed(strategy, stop_loss=0.05)

    assert outcome.metrics is not None
    assert outcome.metrics.trades > 5
    assert check(WALK, strategy, {}).verdict is Verdict.CLEAN


def test_the_moved_cross_is_the_one_that_comes_with_mela(tmp_path: Path) -> None:
    moved = executed(registered(tmp_path / "page_cross.py", BLOCKS["moved_cross"], "moved_cross"))
    ours = executed(CATALOGUE["sma_cross"])

    assert moved.curve is not None
    assert ours.curve is not None
    np.testing.assert_array_equal(moved.curve.equity, ours.curve.equity)
