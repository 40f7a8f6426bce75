"""Indicators that are our own, against their definitions spelled out slowly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.indicators import Indicators
from backtests.testing.instrument import MONDAY_MS, candles_of
from mela.candles import Candles
from mela.interval import DAY_MS, Interval

law = settings(max_examples=40, deadline=None)


@st.composite
def markets(draw) -> Candles:
    """Draw six-hourly candles with ties, and volumes of very different sizes, many of them 0."""
    count = draw(st.integers(0, 60))
    prices = st.sampled_from([99.9, 100.0, 100.1, 105.3, 1e6])
    closes = draw(st.lists(prices, min_size=count, max_size=count))
    volumes = st.sampled_from([0.0, 1e-8, 0.3, 7.0, 1e12])
    volume = draw(st.lists(volumes, min_size=count, max_size=count))
    first_ms = MONDAY_MS + 6 * 3_600_000 * draw(st.integers(0, 3))
    candles = candles_of([(c, c + 1, c - 1, c) for c in closes], Interval.H6, first_ms)
    return replace(candles, volume=np.array(volume, dtype=np.float64))


def typical(candles: Candles, bar: int) -> Fraction:
    return (
        sum(Fraction(float(part[bar])) for part in (candles.high, candles.low, candles.close)) / 3
    )


def weighted(candles: Candles, bars: range) -> float:
    volume = [Fraction(float(candles.volume[bar])) for bar in bars]
    if not sum(volume):
        return float("nan")
    paid = sum(typical(candles, bar) * each for bar, each in zip(bars, volume, strict=True))
    return float(paid / sum(volume))


@law
@given(markets(), st.integers(1, 9))
def test_vwap_is_the_weighted_mean_of_the_window(candles: Candles, period: int) -> None:
    slow = [
        weighted(candles, range(bar - period + 1, bar + 1)) if bar >= period - 1 else float("nan")
        for bar in range(len(candles))
    ]

    np.testing.assert_allclose(Indicators(candles).vwap(period), np.array(slow), rtol=1e-14)


@law
@given(markets())
def test_session_vwap_is_the_weighted_mean_since_midnight(candles: Candles) -> None:
    days = candles.opened_ms // DAY_MS
    slow = []
    for bar in range(len(candles)):
        begin = int(np.searchsorted(days, days[bar]))
        is_whole = begin > 0 or candles.opened_ms[begin] % DAY_MS == 0
        slow.append(weighted(candles, range(begin, bar + 1)) if is_whole else float("nan"))

    np.testing.assert_allclose(Indicators(candles).session_vwap(), np.array(slow), rtol=1e-14)


@law
@given(markets(), st.integers(2, 9))
def test_zscore_is_the_distance_from_the_mean_in_deviations(candles: Candles, period: int) -> None:
    slow = []
    for bar in range(len(candles)):
        window = [Fraction(float(c)) for c in candles.close[max(0, bar - period + 1) : bar + 1]]
        mean = sum(window) / len(window)
        variance = sum((each - mean) ** 2 for each in window) / len(window)
        if len(window) < period or not variance:
            slow.append(float("nan"))
        else:
            slow.append(float(window[-1] - mean) / float(variance) ** 0.5)

    found = Indicators(candles).zscore(period)

    np.testing.assert_allclose(found, np.array(slow), rtol=1e-5, atol=1e-9)


def test_zscore_of_equal_closes_is_undefined_whatever_went_before() -> None:
    """A rolling sum would have kept something of the large close, and divided rounding by it."""
    closes = [1e9, 3.3, *[0.1] * 30]

    zscore = Indicators(candles_of([(c, c, c, c) for c in closes])).zscore(5)

    assert np.isnan(zscore[6:]).all()
    assert not np.isnan(zscore[4:6]).any()


def test_vwap_forgets_a_large_volume_that_has_left_the_window() -> None:
    candles = candles_of([(100, 100, 100, 100)] * 3 + [(50, 50, 50, 50)] * 9)
    candles = replace(candles, volume=np.array([1e15] * 3 + [1e-8] * 9))

    vwap = Indicators(candles).vwap(4)

    assert vwap[6:].tolist() == [50.0] * 6


def test_zscore_by_hand() -> None:
    # 1, 2, 3: mean 2, deviation √(2/3)
    zscore = Indicators(candles_of([(c, c, c, c) for c in (1, 2, 3)])).zscore(3)

    assert zscore[2] == pytest.approx(1 / (2 / 3) ** 0.5)
