"""ZigZag tells a turn when it is confirmed, and never takes it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.indicators import Indicators
from backtests.testing.instrument import candles_of
from mela.candles import Candles

COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
law = settings(max_examples=40, deadline=None)


def turns(candles: Candles, deviation: float) -> list[tuple[int, float, float]]:
    """Return (bar that confirmed, price, 1 after a low) of each turn that a zigzag tells."""
    found = Indicators(candles).zigzag(deviation)
    told = []
    for bar in np.flatnonzero(~np.isnan(found.trend)):
        before = found.trend[bar - 1]
        if np.isnan(before) or before != found.trend[bar]:
            price = found.low[bar] if found.trend[bar] == 1 else found.high[bar]
            told.append((int(bar), float(price), float(found.trend[bar])))
    return told


def test_a_turn_is_told_when_it_is_confirmed() -> None:
    # 110 is a high once 99 (ten percent below) is reached, 95 a low once 104.5 is.
    closes = (100, 110, 105, 99, 95, 100, 104.5, 108, 97)
    candles = candles_of([(c, c, c, c) for c in closes])

    found = Indicators(candles).zigzag(10.0)

    assert np.isnan(found.trend[:1]).all()
    # 110 is also ten percent above the first close: that low is confirmed first.
    assert turns(candles, 10.0) == [(1, 100, 1), (3, 110, -1), (6, 95, 1), (8, 108, -1)]
    assert found.age[3:].tolist() == [2, 3, 4, 2, 3, 1]
    assert found.high[3:].tolist() == [110, 110, 110, 110, 110, 108]


def test_a_candle_with_a_new_high_does_not_confirm_it() -> None:
    """Whether its low came before or after its high, it does not tell."""
    rising = [(100, 100, 100, 100), (112, 112, 112, 112)]
    wide, next_low = (112, 130, 100, 120), (120, 120, 117, 118)

    assert turns(candles_of([*rising, wide]), 10.0) == [(1, 100, 1)]
    assert turns(candles_of([*rising, wide, next_low]), 10.0)[1:] == [(3, 130, -1)]


@st.composite
def swinging(draw) -> Candles:
    """Draw candles whose highs and lows are whole numbers from 80 to 125, with many ties."""
    count = draw(st.integers(2, 50))
    prices = st.integers(80, 120)
    bars = [(draw(prices), draw(st.integers(0, 5))) for _ in range(count)]
    return candles_of([(low, low + reach, low, low) for low, reach in bars])


@law
@given(swinging(), st.sampled_from([3.0, 7.5, 15.0]))
def test_turns_alternate_and_each_is_the_extreme_between_its_neighbours(
    candles: Candles, deviation: float
) -> None:
    found = Indicators(candles).zigzag(deviation)
    told = turns(candles, deviation)
    places = [bar - int(found.age[bar]) for bar, _, _ in told]

    for (bar, price, side), place in zip(told, places, strict=True):
        assert place < bar
        assert price == (candles.low if side == 1 else candles.high)[place]
        if side == 1:
            assert 100 * (candles.high[bar] - price) >= deviation * price
            assert candles.low[place + 1 : bar + 1].min() >= price
        else:
            assert 100 * (price - candles.low[bar]) >= deviation * price
            assert candles.high[place + 1 : bar + 1].max() <= price
    for (_, price, side), (_, following, _), begin, end in zip(
        told, told[1:], places, places[1:], strict=False
    ):
        between = slice(begin + 1, end + 1)
        extreme = candles.high[between].max() if side == 1 else candles.low[between].min()
        assert following == extreme
        assert (following - price) * side > 0


@law
@given(swinging(), st.sampled_from([3.0, 7.5, 15.0]))
def test_a_turn_that_was_told_stays(candles: Candles, deviation: float) -> None:
    """No repainting: each prefix tells the turns that the whole tells up to there."""
    told = turns(candles, deviation)
    for count in range(2, len(candles)):
        part = replace(candles, **{each: getattr(candles, each)[:count] for each in COLUMNS})
        assert turns(part, deviation) == [each for each in told if each[0] < count]
