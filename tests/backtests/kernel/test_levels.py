"""Strengths and levels that a strategy gives, with numbers to check by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from backtests.testing.instrument import candles_of, execute
from mela.run import LimitEntry
from tests.backtests.kernel.test_rules import FLAT, only_trade

NONE = math.nan


def test_a_strength_scales_the_size_of_its_entry() -> None:
    half = execute([FLAT] * 3, enter=[0], exit=[1], strength=[0.5, 1.0, 1.0], fraction=0.8)

    assert only_trade(half).size == 4.0  # 0.5 × 0.8 × 1,000 / 100


def test_the_strength_that_counts_is_that_of_the_close_that_ordered() -> None:
    rows = [FLAT, (110, 110, 105, 110), (100, 105, 94, 100), FLAT]
    found = execute(
        rows, enter=[0], exit=[2], strength=[0.5, 0.1, 0.1, 0.1],
        entry=LimitEntry(offset=0.05, valid_bars=3),
    )  # fmt: skip

    assert only_trade(found).size == 500 / 95


def test_a_stop_level_is_in_force_from_the_candle_after_its_close() -> None:
    """The candle on whose close it is decided has been at 90 before."""
    rows = [FLAT, FLAT, (100, 100, 90, 100), (100, 100, 94, 97)]
    found = execute(rows, enter=[0], stop=[NONE, NONE, 95.0, NONE])

    trade = only_trade(found)
    assert (trade.exit_reason, trade.exit_price, trade.exit_at.day) == ("stop_loss", 95.0, 4)


def test_a_level_that_is_not_given_again_is_in_force_no_more() -> None:
    rows = [FLAT, FLAT, FLAT, (100, 100, 90, 100)]

    assert execute(rows, enter=[0], stop=[NONE, 95.0, NONE, NONE]).metrics.open_trades == 1


def test_the_tighter_of_two_stops_and_the_nearer_of_two_targets_counts() -> None:
    falls, rises = [FLAT, FLAT, (100, 100, 80, 85)], [FLAT, FLAT, (100, 120, 100, 115)]
    stops = [
        only_trade(execute(falls, enter=[0], stop_loss=0.1, stop=[level] * 3)).exit_price
        for level in (85.0, NONE, 95.0)
    ]
    targets = [
        only_trade(execute(rises, enter=[0], take_profit=0.1, target=[level] * 3)).exit_price
        for level in (118.0, NONE, 105.0)
    ]

    assert stops == [90.0, 90.0, 95.0]
    assert targets == pytest.approx([110.0, 110.0, 105.0])


def test_levels_of_a_short_position_lie_the_other_way() -> None:
    rows = [FLAT, FLAT, (100, 106, 94, 100)]
    stopped = execute(rows, enter_short=[0], exit_short=(), direction="short", stop=[105.0] * 3)
    aimed = execute(rows, enter_short=[0], exit_short=(), direction="short", target=[95.0] * 3)

    assert (only_trade(stopped).exit_price, only_trade(stopped).exit_reason) == (105, "stop_loss")
    assert (only_trade(aimed).exit_price, only_trade(aimed).exit_reason) == (95, "take_profit")


@pytest.mark.parametrize(("protect_from", "trades"), [("entry", 1), ("next", 0)])
def test_the_levels_of_the_entrys_close_hold_on_the_entry_candle(protect_from, trades) -> None:
    found = execute(
        [FLAT, (100, 100, 90, 100)], enter=[0], stop=[95.0, NONE], protect_from=protect_from
    )

    assert found.metrics.trades == trades


def test_a_level_that_the_entry_has_passed_waits_for_the_next_open() -> None:
    """A stop above the entry's price would else fill at a price that nobody traded at."""
    rows = [FLAT, (100, 101, 99, 100), (98, 99, 97, 98)]
    stopped = only_trade(execute(rows, enter=[0], stop=[103.0] * 3))
    aimed = only_trade(execute(rows, enter=[0], target=[97.0] * 3))

    assert (stopped.exit_price, stopped.exit_at.day, stopped.exit_reason) == (98, 3, "stop_loss")
    assert (aimed.exit_price, aimed.exit_at.day, aimed.exit_reason) == (98, 3, "take_profit")


def test_levels_lie_on_ticks_where_prices_do() -> None:
    candles = replace(candles_of([FLAT, FLAT, (100, 100, 90, 100)]), tick=0.5)
    found = execute(candles, enter=[0], stop=[95.2] * 3, costs={"round_to_tick": True})

    assert only_trade(found).exit_price == 95.0
