"""Our paper broker with hard fills, by numbers that can be checked by hand."""

from __future__ import annotations

import math

import pytest

from execution.candle_step import Candle
from execution.terms import Terms
from live.orders import Order
from live.papers import fill_on, is_rejected
from mela.session import PaperBroker

CANDLE = Candle(60_000, 120_000, 100.0, 110.0, 90.0, 106.0, 1_000.0, True)


def order(side: str = "buy", kind: str = "market", level: float = math.nan) -> Order:
    return Order("a", "x:Y", "enter", side, kind, 50.0, level, "entry", 0, 60_000)


def filled(broker: dict, asked: Order, candle: Candle = CANDLE):
    return fill_on(candle, asked, asked.units, 60_000, PaperBroker(fills="hard", **broker), Terms())


def test_half_of_the_spread_is_against_the_order() -> None:
    assert filled({"spread": 0.02}, order()).price == 101.0
    assert filled({"spread": 0.02}, order("sell")).price == 99.0


def test_an_order_that_comes_late_fills_at_the_worse_of_open_and_the_way_to_the_close() -> None:
    bought, sold = filled({"latency_s": 30.0}, order()), filled({"latency_s": 30.0}, order("sell"))

    assert (bought.price, bought.at_ms) == (103.0, 90_000)
    assert sold.price == 100.0


def test_an_order_that_comes_after_the_candle_does_not_fill_on_it() -> None:
    assert filled({"latency_s": 60.0}, order()) is None


def test_at_most_a_share_of_the_volume_fills() -> None:
    assert filled({"volume_share": 0.02}, order()).units == 20.0
    assert filled({}, order(), CANDLE._replace(volume=0.0)) is None


def test_a_limit_fills_when_the_other_side_of_the_spread_reaches_it() -> None:
    assert filled({}, order("buy", "limit", 90.5)).price == 90.5
    assert filled({"spread": 0.02}, order("buy", "limit", 90.5)) is None  # it asks 90.9 at the low


def test_rejections_are_the_same_for_a_seed_and_as_frequent_as_asked() -> None:
    broker = PaperBroker(fills="hard", reject_chance=0.25, seed=7)
    drawn = [is_rejected(broker, str(number)) for number in range(2_000)]

    assert drawn == [is_rejected(broker, str(number)) for number in range(2_000)]
    assert sum(drawn) / 2_000 == pytest.approx(0.25, abs=0.03)
