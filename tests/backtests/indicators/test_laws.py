"""Laws that every indicator obeys: no line knows a later candle, and units mean what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.indicators import INDICATORS, Indicators
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval

law = settings(max_examples=8, deadline=None)
PARTS = ("open", "high", "low", "close", "volume")
SMALL = {
    "sar": [0.05, 0.3],
    "supertrend": [3, 1.5],
    "keltner": [4, 3, 1.5],
    "bollinger": [6, 1.5],
    "t3": [2, 0.5],
    "alma": [7, 0.6, 4.0],
    "chandelier_exit": [5, 2.0],
    "zigzag": [3.0],
    "schaff_trend_cycle": [4, 3, 7, 0.3],
    "ease_of_movement": [5, 1_000.0],
    "ichimoku": [3, 5, 9, 4],
    "kst": [2, 3, 4, 5, 3, 2, 4, 3, 2],
    "ultimate_oscillator": [2, 4, 8],
}
# How a unit grows where prices are doubled, and where volumes are.
GROWS = {
    "price": (2.0, 1.0),
    "price change": (2.0, 1.0),
    "volume": (1.0, 2.0),
    "price change × volume": (2.0, 2.0),
    "price² per volume": (4.0, 0.5),
}
SAME = (1.0, 1.0)


@st.composite
def markets(draw) -> Candles:
    """Draw hourly candles that move by up to some percent, with gaps, ties and little volume."""
    count = draw(st.integers(60, 140))
    seed, wild = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.001, 0.01, 0.05]))
    random = np.random.default_rng(seed)
    moves = random.normal(0, wild, count) * (random.random(count) > 0.2)
    close = np.round(100 * np.exp(np.cumsum(moves)), 2)
    opened = np.round(np.concatenate([[100.0], close[:-1]]) * (1 + random.normal(0, wild / 5)), 2)
    high = np.round(np.maximum(opened, close) * (1 + random.exponential(wild / 3, count)), 2)
    low = np.round(np.minimum(opened, close) * (1 - random.exponential(wild / 3, count)), 2)
    volume = random.exponential(10, count)
    times = np.arange(count, dtype=np.int64) * HOUR_MS
    return Candles(Interval.H1, times, opened, high, low, close, volume)


def lines(candles: Candles, name: str) -> tuple[np.ndarray, ...]:
    """Return the lines of an indicator with short periods."""
    parameters = INDICATORS[name].parameters
    chosen = SMALL.get(name) or [3 + 2 * place for place, _ in enumerate(parameters)]
    found = getattr(Indicators(candles), name)(*chosen)
    return found if isinstance(found, tuple) else (found,)


def begun(candles: Candles, count: int) -> Candles:
    return replace(
        candles, **{part: getattr(candles, part)[:count] for part in ("opened_ms", *PARTS)}
    )


@pytest.mark.parametrize("name", INDICATORS)
@law
@given(candles=markets(), data=st.data())
def test_no_later_candle_changes_a_line(name: str, candles: Candles, data) -> None:
    """A chart may redraw; a line that a strategy reads says on each candle what it said then."""
    count = data.draw(st.integers(1, len(candles)))

    for whole, part in zip(lines(candles, name), lines(begun(candles, count), name), strict=True):
        np.testing.assert_array_equal(part, whole[:count])


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("grown", ["prices", "volumes"])
@law
@given(candles=markets())
def test_a_line_grows_as_its_unit_says(name: str, grown: str, candles: Candles) -> None:
    """A twice as dear or twice as traded instrument has the same percents, and twice the prices."""
    parts = PARTS[:4] if grown == "prices" else PARTS[4:]
    larger = replace(candles, **{part: 2 * getattr(candles, part) for part in parts})

    for told, before, after in zip(
        INDICATORS[name].lines, lines(candles, name), lines(larger, name), strict=True
    ):
        times = GROWS.get(told.unit, SAME)[0 if grown == "prices" else 1]
        np.testing.assert_allclose(after, times * before, rtol=1e-9, atol=1e-9 * times)


@pytest.mark.parametrize("name", INDICATORS)
@law
@given(candles=markets())
def test_bounded_lines_stay_within_their_bounds(name: str, candles: Candles) -> None:
    for told, line in zip(INDICATORS[name].lines, lines(candles, name), strict=True):
        low, _, high = told.unit.partition("..")
        known = line[~np.isnan(line)]
        assert np.isfinite(known).all()
        if high and not told.unit.startswith("about"):
            assert (known >= float(low) - 1e-9).all()
            assert (known <= float(high) + 1e-9).all()
