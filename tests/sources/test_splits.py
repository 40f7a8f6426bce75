"""sources/splits.py, sources/rounding.py, sources/replay/factors.py: the arithmetic of splits."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mela.calendars import date_ms
from sources.replay.factors import read_factors
from sources.replay.series import PACKAGED
from sources.splits import as_paid, ratios, restore_prices, restore_volumes, split


@given(
    cents=st.integers(min_value=1, max_value=50_000_00),
    ratio=st.sampled_from([1.0, 2.0, 4.0, 7.0, 28.0, 56.0, 112.0, 1.5, 0.1]),
)
def test_cents_survive_what_yahoo_does_to_them(cents: int, ratio: float) -> None:
    price = cents / 100
    said = np.array([np.float32(round(price / ratio, 6))], dtype=np.float64)
    assert restore_prices(said, np.array([ratio]))[0] == price


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
    assert as_paid(date(2012, 11, 7), 0.094643, splits).value == 2.65
    assert as_paid(date(2014, 8, 7), 0.1175, splits).value == 0.47
    assert as_paid(date(2020, 11, 6), 0.205, splits).value == 0.205


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
