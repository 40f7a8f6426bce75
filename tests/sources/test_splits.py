"""sources/splits.py, sources/rounding.py, replay/factors.py: the arithmetic of splits."""

from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mela.calendars import date_ms
from mela.interval import Interval
from replay.factors import read_factors
from replay.series import PACKAGED
from sources.protocol import CorporateAction, FetchedCandles
from sources.splits import (
    dividend_as_paid,
    ratios,
    restore_prices,
    restore_volumes,
    rounding_tolerance,
    split,
)
from tests.warehouse.given import answer, at


@given(
    cents=st.integers(min_value=1, max_value=50_000_00),
    ratio=st.sampled_from([1.0, 2.0, 4.0, 7.0, 28.0, 56.0, 112.0, 1.5, 0.1]),
)
def test_cents_survive_what_yahoo_does_to_them(cents: int, ratio: float) -> None:
    price = cents / 100
    said = np.array([np.float32(round(price / ratio, 6))], dtype=np.float64)
    assert restore_prices(said, np.array([ratio]))[0] == price


@given(digits=st.integers(1, 999_999), decimals=st.integers(0, 13))
def test_a_price_of_any_size_keeps_its_digits(digits: int, decimals: int) -> None:
    """Coins of a thousandth of a cent are quoted too, and currencies to the sixth decimal."""
    price = float(f"{digits}e-{decimals}")
    said = np.array([np.float32(price)], dtype=np.float64)
    assert restore_prices(said, np.array([1.0]))[0] == price


@given(shares=st.integers(0, 10**10), ratio=st.sampled_from([1.0, 2.0, 7.0, 28.0, 1.5]))
def test_shares_survive_too(shares: int, ratio: float) -> None:
    said = np.array([float(round(shares * ratio))])
    assert restore_volumes(said, np.array([ratio]))[0] == shares


def test_a_split_touches_candles_that_opened_before_it() -> None:
    day = date(2020, 8, 31)
    opened = np.array([date_ms(date(2020, 8, 28)), date_ms(day), date_ms(day) + 48_600_000])
    assert ratios(opened, [split(day, 4.0)]).tolist() == [4.0, 1.0, 1.0]


def test_a_dividend_is_told_in_shares_of_its_day() -> None:
    splits = [split(date(2014, 6, 9), 7.0), split(date(2020, 8, 31), 4.0)]
    assert dividend_as_paid(date(2012, 11, 7), 0.094643, splits).value == 2.65
    assert dividend_as_paid(date(2014, 8, 7), 0.1175, splits).value == 0.47
    assert dividend_as_paid(date(2020, 11, 6), 0.205, splits).value == 0.205


def test_factor_files_tell_splits_and_dividends() -> None:
    actions = read_factors(PACKAGED, "AAPL").actions
    assert [(a.effective_on, a.value) for a in actions if a.kind == "split"] == [
        (date(2000, 6, 21), 2.0),
        (date(2005, 2, 28), 2.0),
        (date(2014, 6, 9), 7.0),
        (date(2020, 8, 31), 4.0),
    ]
    paid = {a.effective_on: a.value for a in actions if a.kind == "dividend"}
    assert (paid[date(2014, 5, 8)], paid[date(2014, 8, 7)]) == (3.29, 0.47)
    assert read_factors(PACKAGED, "NOSUCH").actions == ()


REAL = [  # Apple's, and reverse ones as of Citigroup (1:10, 2011) and General Electric (1:8, 2021)
    split(date(2005, 2, 28), 2.0),
    split(date(2011, 5, 9), 0.1),
    split(date(2014, 6, 9), 7.0),
    split(date(2020, 8, 31), 4.0),
    split(date(2021, 8, 2), 0.125),
]


def restored(traded: float, shares: int, splits: list[CorporateAction]) -> FetchedCandles:
    """Return the candle of 2004 that YahooSource makes of what Yahoo says after some splits."""
    days = answer([traded], start=at("2004-01-05"), interval=Interval.D1, source="yahoo")
    ratio = ratios(days.opened_ms, splits)
    said = np.array([np.float32(round(traded / ratio[0], 6))], dtype=np.float64)
    price = restore_prices(said, ratio)
    volume = restore_volumes(np.array([float(round(shares * ratio[0]))]), ratio)
    return replace(
        days, open=price, high=price, low=price, close=price, volume=volume, actions=tuple(splits)
    )


@settings(max_examples=300)
@given(
    price=st.floats(0.01, 5_000.0),
    shares=st.integers(0, 10**9),
    splits=st.lists(st.sampled_from(REAL), unique=True, max_size=5),
    known=st.integers(0, 5),
)
def test_two_answers_of_one_candle_lie_within_the_leeway(
    price: float, shares: int, splits: list[CorporateAction], known: int
) -> None:
    """Whatever was traded, and however many of the splits the older answer knew."""
    splits = sorted(splits, key=lambda one: one.effective_on)
    older, later = restored(price, shares, splits[:known]), restored(price, shares, splits)
    allowed = rounding_tolerance(later)
    if allowed is None:
        assert (older.close, older.volume) == (later.close, later.volume)
    else:
        assert abs(older.close - later.close)[0] <= allowed.price[0]
        assert abs(older.volume - later.volume)[0] <= allowed.volume[0]


def test_a_leeway_is_below_a_cent_after_all_of_apples_splits() -> None:
    fetched = restored(500.0, 10**9, [one for one in REAL if one.value > 1])
    allowed = rounding_tolerance(fetched)
    assert allowed is not None
    assert allowed.price[0] < 0.005
    assert allowed.volume[0] == 0.0


def test_there_is_no_leeway_after_the_last_split_nor_for_another_vendor() -> None:
    fetched = restored(500.0, 100, REAL)
    late = replace(fetched, opened_ms=np.array([date_ms(date(2021, 8, 2))]))
    allowed = rounding_tolerance(late)
    assert allowed is not None
    assert (allowed.price[0], allowed.volume[0]) == (0.0, 0.0)
    assert rounding_tolerance(replace(fetched, source="alpaca")) is None
