"""How many candles a year has, for sizes by volatility: by the hours of each market."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.sizing_inputs import candles_per_year, sizing_measure
from mela.calendars import expected_opens_ms
from mela.candles import Candles
from mela.interval import Interval
from mela.run import VolatilitySizing, to_ms
from tests.warehouse.given import at


def candles_in(calendar: str, start: str, end: str, interval: Interval = Interval.H1) -> Candles:
    opened_ms = expected_opens_ms(calendar, interval, to_ms(at(start)), to_ms(at(end)))
    prices = 100.0 + np.arange(len(opened_ms)) % 3
    return Candles(interval, opened_ms, *(prices,) * 4, np.ones(len(prices)), calendar=calendar)


@pytest.mark.parametrize(
    ("calendar", "candles"),
    [
        ("24/7", 365 * 24),
        ("24/5", 252 * 24),
        ("XNYS", 252 * 6.5),
        ("XLON", 252 * 8.5),
        ("XHKG", 252 * 5.5),  # 9:30 to 16:00 without an hour at noon
    ],
)
def test_a_year_has_as_many_hours_as_its_market_is_open(calendar: str, candles: float) -> None:
    found = candles_per_year(candles_in(calendar, "2024-03-04", "2024-03-09"))

    assert set(found.tolist()) == {candles}


def test_a_half_day_does_not_change_a_year() -> None:
    """New York closed at 13:00 on the day after Thanksgiving."""
    found = candles_per_year(candles_in("XNYS", "2023-11-20", "2023-12-02"))

    assert set(found.tolist()) == {252 * 6.5}


def test_new_hours_count_when_most_of_a_month_has_them() -> None:
    """Tokyo closes at 15:30 instead of 15:00 since 2024-11-05, of which 11-19 is the 11th day."""
    before = candles_per_year(candles_in("XTKS", "2024-11-01", "2024-11-19"))
    after = candles_per_year(candles_in("XTKS", "2024-11-19", "2024-11-23"))

    assert (set(before.tolist()), set(after.tolist())) == ({252 * 5.0}, {252 * 5.5})


def test_days_and_markets_that_nobody_knows() -> None:
    days = candles_in("XLON", "2024-03-04", "2024-03-09", Interval.D1)
    hours = candles_in("XLON", "2024-03-04", "2024-03-05")
    unknown = Candles(Interval.H1, hours.opened_ms, *(hours.close,) * 5, calendar="XXXX")

    assert set(candles_per_year(days).tolist()) == {252.0}
    assert set(candles_per_year(unknown).tolist()) == {252 * 6.5}


def test_volatility_within_a_day_is_scaled_by_the_hours_of_the_market() -> None:
    sizing = VolatilitySizing(target=0.2, period=2)
    london, york = (
        sizing_measure(sizing, candles_in(calendar, "2024-03-04", "2024-03-05"))[2]
        for calendar in ("XLON", "XNYS")
    )

    up, down = 101 / 100 - 1, 102 / 101 - 1  # both calendars have the same first prices
    deviation = abs(up - down) / 2**0.5
    assert london == pytest.approx(deviation * (252 * 8.5) ** 0.5, rel=1e-12)
    assert york == pytest.approx(deviation * (252 * 6.5) ** 0.5, rel=1e-12)
