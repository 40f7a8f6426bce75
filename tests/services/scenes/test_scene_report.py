"""What a search's report means, in words."""

from __future__ import annotations

import doctest

from mela.search_report import (
    SearchReport,
    StatisticsReport,
    WalkForwardReport,
    WinnerReport,
)
from services.scenes import scene_report
from services.scenes.scene_report import in_words

WINNER = WinnerReport(
    instrument="binance:BTCUSDT",
    strategy="sma_cross",
    choice={"fast": 10, "slow": 30},
    run_key="0" * 64,
    interval="1h",
    start="2023-03-01T00:00:00Z",
    end="2023-04-30T00:00:00Z",
    rank_by="sharpe",
)
JUDGED = (
    "Judged is the run that the last window chose, 2023-03-01 to 2023-04-30: sma_cross with "
    "fast 10, slow 30 on binance:BTCUSDT."
)


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(scene_report)
    assert (failed, tried > 0) == (0, True)


def test_a_walk_forward_says_which_run_the_odds_are_about() -> None:
    luck = StatisticsReport(n_trials=40, dsr=0.75)
    report = SearchReport(
        winner=WINNER, statistics=luck, walk_forward=WalkForwardReport(folds=3, total_return=0.1)
    )
    first, second, *_ = in_words(report, is_finished=True).words
    assert first == "Of 40 tries the best would look this good by luck in 1 of 4 searches."
    assert second == JUDGED

    alone = in_words(report.model_copy(update={"walk_forward": None}), is_finished=True)
    assert JUDGED not in alone.words


def test_a_scene_that_searched_nothing_has_no_words() -> None:
    assert in_words(None, is_finished=True).words == ()
