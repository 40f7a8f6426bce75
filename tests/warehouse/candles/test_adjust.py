"""warehouse/candles/adjust.py, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mela.errors import CandlesInvalid
from warehouse.candles.adjust import Event, factors

OPENED = np.array([10, 20, 30, 40], dtype=np.int64)
CLOSE = np.array([100.0, 80.0, 20.0, 25.0])


def test_without_events_nothing_changes() -> None:
    by = factors(OPENED, CLOSE, [])
    assert by.split.tolist() == by.dividend.tolist() == [1.0] * 4


def test_a_split_divides_what_opened_before_it() -> None:
    assert factors(OPENED, CLOSE, [Event("split", 30, 4.0)]).split.tolist() == [4.0, 4.0, 1.0, 1.0]


def test_splits_multiply() -> None:
    events = [Event("split", 20, 7.0), Event("split", 30, 4.0)]
    assert factors(OPENED, CLOSE, events).split.tolist() == [28.0, 4.0, 1.0, 1.0]


def test_a_split_between_candles_counts_for_those_before_it() -> None:
    assert factors(OPENED, CLOSE, [Event("split", 25, 4.0)]).split.tolist() == [4.0, 4.0, 1.0, 1.0]


def test_a_dividend_takes_its_share_of_the_close_before_it() -> None:
    """5 of 20 paid before the last candle: three quarters remain."""
    by = factors(OPENED, CLOSE, [Event("dividend", 40, 5.0)])
    assert by.dividend.tolist() == [0.75, 0.75, 0.75, 1.0]
    assert by.split.tolist() == [1.0] * 4


def test_a_dividend_of_a_split_s_day_is_paid_on_the_new_shares() -> None:
    """80 before a 4:1 split is 20 of the new shares, of which 5 are paid."""
    events = [Event("split", 30, 4.0), Event("dividend", 30, 5.0)]
    assert factors(OPENED, CLOSE, events).dividend.tolist() == [0.75, 0.75, 1.0, 1.0]


def test_an_event_before_the_first_candle_changes_nothing() -> None:
    events = [Event("dividend", 10, 500.0), Event("split", 5, 2.0)]
    by = factors(OPENED, CLOSE, events)
    assert by.split.tolist() == by.dividend.tolist() == [1.0] * 4


def test_a_dividend_as_large_as_the_price_is_refused() -> None:
    with pytest.raises(CandlesInvalid, match=r"that of 1970-01-01 is 20\.0 after a close of 20\.0"):
        factors(OPENED, CLOSE, [Event("dividend", 40, 20.0)])
