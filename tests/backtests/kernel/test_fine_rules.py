"""Finer rules of docs/execution.md, where a reader of the page could doubt: each by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.testing.instrument import Row, candles_of, execute
from mela.candles import Candles
from mela.result import Outcome
from mela.run import LimitEntry, StopEntry


def still(price: float) -> Row:
    return (price, price, price, price)


def fills_of(outcome: Outcome) -> list[tuple[float, float, str]]:
    return [(one.entry_price, one.exit_price, one.exit_reason) for one in outcome.curve.trades]


# Ticks, ambiguity, borrowing and waiting, where a reader of the page could doubt


def ticked(*rows: Row) -> Candles:
    return replace(candles_of(list(rows)), tick=5.0)


@pytest.mark.parametrize(
    ("direction", "opened", "filled"), [("long", 113.0, 110.0), ("short", 87.0, 90.0)]
)
def test_a_target_at_a_better_open_is_rounded_to_the_tick(direction, opened, filled) -> None:
    outcome = execute(
        ticked(still(100), still(100), still(opened)),
        enter=[0] if direction == "long" else [],
        enter_short=[] if direction == "long" else [0],
        exit_short=[],
        direction=direction,
        take_profit=0.05,
        costs={"round_to_tick": True},
    )

    assert fills_of(outcome) == [(100.0, filled, "take_profit")]
    assert outcome.metrics.slippage_paid == pytest.approx(3.0 * 10)  # of 10 units


@pytest.mark.parametrize(
    ("direction", "opened", "filled"), [("long", 83.0, 85.0), ("short", 117.0, 115.0)]
)
def test_a_limit_at_a_better_open_is_rounded_to_the_tick(direction, opened, filled) -> None:
    outcome = execute(
        ticked(still(100), still(opened), still(opened), still(100)),
        enter=[0] if direction == "long" else [2],
        exit=[2] if direction == "long" else [0],
        direction=direction,
        entry=LimitEntry(offset=0.1),
        costs={"round_to_tick": True},
    )

    assert [entry for entry, _, _ in fills_of(outcome)] == [filled]


def test_a_stop_entry_whose_candle_opened_beyond_its_stop_loss_is_not_ambiguous() -> None:
    """Bought at 110 after an open of 100; the stop lies at 104.5, the target at 115.5."""
    rows = [still(100), (100, 120, 100, 102)]

    outcome = execute(rows, [0], entry=StopEntry(offset=0.1), stop_loss=0.05, take_profit=0.05)

    assert fills_of(outcome) == [(pytest.approx(110.0), pytest.approx(104.5), "stop_loss")]
    assert outcome.metrics.ambiguous_bars == 0
    inside = [still(100), (108, 120, 100, 102)]  # it opened between its stop and its entry
    outcome = execute(inside, [0], entry=StopEntry(offset=0.1), stop_loss=0.05, take_profit=0.05)
    assert outcome.metrics.ambiguous_bars == 1


def test_borrowing_ends_at_the_open_of_the_stops_candle_and_is_worth_the_level() -> None:
    """Ten units, a thousandth of their value a day: 1,000 on the first close, 1,250 at the stop."""
    rows = [still(100), still(100), (100, 130, 100, 100)]

    outcome = execute(
        rows, exit=[0], direction="short", stop_loss=0.25, costs={"borrow_rate": 0.36525}
    )

    assert fills_of(outcome) == [(100.0, 125.0, "stop_loss")]
    assert outcome.metrics.borrow_paid == pytest.approx(1.0)  # the close paid up to that open


@pytest.mark.parametrize(("direction", "sides"), [("long", []), ("both", [-10.0])])
def test_an_opposite_signal_cancels_an_entry_that_waits_for_volume(direction, sides) -> None:
    rows = candles_of([still(100)] * 5)
    quiet = replace(rows, volume=np.array([1e9, 0.0, 1e9, 1e9, 1e9]))

    outcome = execute(
        quiet, enter=[0, 3], exit=[1], direction=direction, costs={"borrow_rate": 0.0}
    )

    assert [trade.size for trade in outcome.curve.trades] == sides
    assert outcome.metrics.rejected_orders == 0


# A trailing stop that starts at a gain


@pytest.mark.parametrize(("start", "exits"), [(0.0, [87.5]), (0.25, [113.75]), (0.5, [])])
def test_a_trailing_stop_waits_for_its_gain(start: float, exits: list[float]) -> None:
    rows = [still(100), still(100), (100, 110, 80, 110), (110, 130, 90, 130), (130, 130, 100, 100)]

    outcome = execute(rows, [0], trailing_stop=0.125, trailing_start=start)

    assert [leave for _, leave, _ in fills_of(outcome)] == exits


def test_the_candle_that_brings_the_gain_does_not_stop_by_it() -> None:
    """Its high may have come after its low; the stop lives from the candle after on."""
    rows = [still(100), still(100), (100, 130, 90, 120), (120, 120, 119, 119)]

    outcome = execute(rows, [0], trailing_stop=0.05, trailing_start=0.3)

    assert fills_of(outcome) == [(100.0, 120.0, "trailing_stop")]  # 123.5, and it opened below


def test_a_short_trails_once_it_has_fallen_by_its_gain() -> None:
    rows = [still(100), still(100), (100, 100, 80, 80), (80, 95, 80, 95), (95, 95, 95, 95)]
    short = {"exit": [0], "direction": "short", "trailing_stop": 0.125}

    started, waiting = (execute(rows, **short, trailing_start=gain) for gain in (0.2, 0.21))

    assert fills_of(started) == [(100.0, 90.0, "trailing_stop")]
    assert fills_of(waiting) == []
