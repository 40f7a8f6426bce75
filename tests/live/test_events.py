"""Events come back from their text bit for bit."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.events import (
    KINDS,
    CandleClosed,
    Difference,
    History,
    Intended,
    Judged,
    LookedUp,
    Reconciled,
    decode,
    encode,
    kind_of,
)
from live.orders import Order, OrderState
from mela.interval import Interval

NUMBERS = st.floats(width=64)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@given(numbers=st.tuples(*[NUMBERS] * 5))
def test_a_candle_comes_back_bit_for_bit(numbers) -> None:
    candle = CandleClosed("a:X", Interval.M1, 60_000, *numbers, 120_000)

    again = decode("CandleClosed", encode(candle))

    read = (again.open, again.high, again.low, again.close, again.volume)
    one_nan = bits(math.nan)
    assert [one_nan if math.isnan(x) else bits(x) for x in read] == [
        one_nan if math.isnan(x) else bits(x) for x in numbers
    ]
    assert again.interval is Interval.M1


ORDER = Order("a", "x:Y", "enter", "buy", "limit", 4.0, 95.0, "entry", 0, 1, average_price=2.0)


@pytest.mark.parametrize(
    "event",
    [
        Intended(ORDER, for_broker=True),
        LookedUp("a", True, OrderState.ACCEPTED, "b", 5),
        Reconciled((Difference("cash", "", "", 1.0, -0.0, "stop", "why"),), True, 7),
        History("a:X", Interval.D1, (0, 1), *[(1.0, -0.0)] * 5),
        Judged("a:X", 0, False, "max_gross", 1.0, 0.0, {"gross": math.inf}),
    ],
)
def test_what_lies_within_an_event_comes_back_as_it_was(event) -> None:
    if kind_of(event) in KINDS:
        assert decode(kind_of(event), encode(event)) == event


def test_a_kind_of_a_later_release_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="'Telepathy'"):
        decode("Telepathy", "{}")


def test_other_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="other fields"):
        decode("Ticked", '{"at": 1}')
