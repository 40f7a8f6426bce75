from __future__ import annotations

import numpy as np
import pytest
import talib

from backtests.by_hand import candles_of
from backtests.indicators import Indicators


def closes(*prices: float) -> Indicators:
    return Indicators(candles_of([(p, p, p, p) for p in prices]))


def test_sma_is_the_mean_of_the_last_closes() -> None:
    assert closes(1, 2, 6, 4).sma(2).tolist()[1:] == [1.5, 4.0, 5.0]
    assert np.isnan(closes(1, 2, 6, 4).sma(2)[0])


def test_rsi_is_defined_after_as_many_changes_as_its_period() -> None:
    # Changes +2 and -1: gains 1, losses 0.5 on average, 100 × 1 / 1.5
    rsi = closes(10, 12, 11).rsi(2)

    assert np.isnan(rsi[:2]).all()
    assert rsi[2] == pytest.approx(200 / 3)


def test_an_indicator_longer_than_its_candles_is_undefined_everywhere() -> None:
    few = closes(1, 2, 3)

    assert np.isnan(few.sma(4)).all()
    assert np.isnan(few.rsi(3)).all()
    assert np.isnan(few.sma(10**30)).all()
    assert closes().sma(5).tolist() == []


def test_indicators_are_talibs_to_the_last_bit() -> None:
    prices = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 500)))
    indicators = closes(*prices)

    np.testing.assert_array_equal(indicators.sma(20), talib.SMA(prices, timeperiod=20))
    np.testing.assert_array_equal(indicators.rsi(14), talib.RSI(prices, timeperiod=14))


def test_an_indicator_is_computed_once_and_cannot_be_written() -> None:
    indicators = closes(1, 2, 3)

    assert indicators.sma(2) is indicators.sma(2)
    with pytest.raises(ValueError, match="read-only"):
        indicators.sma(2)[0] = 1.0
