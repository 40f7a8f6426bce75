"""A verdict gathers what its parts say, and says what they cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backtests.statistics.blocks import Blocks, blocks_of
from backtests.statistics.pbo import overfitting
from backtests.statistics.search_statistics import SearchStatistics, judge
from backtests.statistics.sharpe import deflated_sharpe, moments, probabilistic_sharpe
from backtests.statistics.superior import superior
from backtests.statistics.trials import effective_trials

RNG = np.random.default_rng(1)
LUCK = RNG.normal(0.0, 0.01, (12, 480))
SKILL = LUCK + np.where(np.arange(12) == 4, 0.003, 0.0)[:, None]


def verdict(trials: np.ndarray, **given) -> SearchStatistics:
    blocks = blocks_of(trials)
    return judge(trials[int(np.nanargmax(blocks.sharpes()))], blocks, **given)


def test_it_is_made_of_its_parts() -> None:
    benchmark = LUCK.mean(axis=0)

    found = verdict(SKILL, returns=SKILL, benchmark=benchmark, seed=3)

    blocks, winner = blocks_of(SKILL), moments(SKILL[4])
    effective = effective_trials(blocks, seed=3)
    assert found.winner == winner
    assert found.n_trials == 12
    assert found.n_effective == effective.n_effective
    assert found.sharpe_variance == pytest.approx(np.var(blocks.sharpes(), ddof=1))
    assert found.psr == probabilistic_sharpe(winner)
    assert found.dsr == deflated_sharpe(winner, effective.n_effective, 1 / 479)
    assert found.dsr == probabilistic_sharpe(winner, found.luck)
    assert found.dsr_by_clusters == deflated_sharpe(
        winner, effective.clusters, effective.variance_of_all or 0.0
    )
    assert found.pbo == overfitting(blocks).pbo
    assert found.spa_p == superior(SKILL, benchmark, seed=3).p_value


def test_skill_is_certified_and_luck_is_not() -> None:
    assert verdict(SKILL).certified
    assert not verdict(LUCK).certified


def test_more_trials_than_are_known_deflate_more() -> None:
    known, more = verdict(SKILL), verdict(SKILL, n_trials=12_000)

    assert more.n_effective == 1_000 * known.n_effective
    assert more.dsr is not None
    assert known.dsr is not None
    assert more.dsr < known.dsr
    unknown = "Of 11,988 of 12,000 trials no returns are known; they count in proportion."
    assert unknown in more.notes


def test_one_known_trial_of_many_is_deflated_too() -> None:
    alone, of_many = verdict(LUCK[:1]), verdict(LUCK[:1], n_trials=100)

    assert alone.dsr == alone.psr
    assert "One trial was recorded, so that nothing is deflated." in alone.notes
    assert of_many.dsr is not None
    assert alone.dsr is not None
    assert of_many.dsr < alone.dsr


def test_its_limits_are_said() -> None:
    wild = LUCK.copy()
    wild[:, 7] = 0.5

    notes = " ".join(verdict(np.concatenate([wild, np.zeros((3, 480))])).notes)

    assert "a lower bound" in notes
    assert "3 trials never moved" in notes
    assert "a few returns decide" in notes
    assert "There is no test against buying and holding (SPA)" in notes
    assert "the trials' period returns were not given." in notes
    assert "Of 100 periods skew" in " ".join(verdict(LUCK[:, :100]).notes)


def test_a_winner_that_never_moves_proves_nothing() -> None:
    found = judge(np.zeros(480), blocks_of(np.zeros((2, 480))))

    assert (found.psr, found.dsr, found.pbo, found.certified) == (None, None, None, False)
    assert found.n_effective == 1
    assert "The winner has no Sharpe ratio" in " ".join(found.notes)


def test_its_document_is_json() -> None:
    for found in (
        verdict(SKILL, returns=SKILL, benchmark=LUCK[0]),
        judge(np.zeros(480), blocks_of(np.zeros((2, 480)))),
    ):
        document = json.loads(json.dumps(found.document(), allow_nan=False))
        assert document["certified"] is found.certified
        assert document["n_effective"] == found.n_effective


def test_what_cannot_be_judged_is_refused() -> None:
    none = Blocks(np.empty((0, 16)), np.empty((0, 16)), np.full(16, 30))
    with pytest.raises(ValueError, match="at least one trial"):
        judge(LUCK[0], none)
    with pytest.raises(ValueError, match="both or neither"):
        judge(LUCK[0], blocks_of(LUCK), returns=LUCK)
