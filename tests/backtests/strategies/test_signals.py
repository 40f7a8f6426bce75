"""What each strategy says on a few candles that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from pydantic import ValidationError

from backtests.indicators import Indicators
from backtests.signals import Cross
from backtests.strategies import CATALOGUE
from backtests.testing.instrument import candles_of
from mela.candles import Candles
from mela.run import MAX_WARMUP


def said(name: str, candles: Candles | list, **params) -> tuple[list[int], ...]:
    """Return the bars of enter, exit, enter_short and exit_short."""
    if isinstance(candles, list):
        candles = candles_of([(price, price, price, price) for price in candles])
    model = CATALOGUE[name].params.model_validate(params)
    found = CATALOGUE[name].signals(candles, model, Indicators(candles)).signals().mirrored()
    return tuple(np.flatnonzero(signal).tolist() for signal in found)


def test_ema_cross() -> None:
    # of 2: - 10 10 12 12.67 8.89 7.63 | of 3: - - 10 11.5 12.25 9.63 8.31
    assert said("ema_cross", [10, 10, 10, 13, 13, 7, 7], fast=2, slow=3) == ([3], [5], [5], [3])


def test_macd_cross() -> None:
    # MACD   - - 0 0.50 0.42 -0.74 -0.68 0.39
    # signal - - - 0.25 0.36 -0.37 -0.58 0.07
    closes = [10, 10, 10, 13, 13, 7, 7, 12]

    assert said("macd_cross", closes, fast=2, slow=3, signal=2) == ([7], [5], [5], [7])


# mean  - - 10 11    12    12    12
# upper - - 10 12.41 13.41 13.41 13.41, lower - - 10 9.59 10.59 10.59 10.59
IN_AND_OUT = [10, 10, 10, 13, 13, 10, 13]


def test_bollinger_breakout() -> None:
    found = said("bollinger_breakout", IN_AND_OUT, period=3, deviations=1)

    assert found == ([3], [5], [5], [3, 6])


def test_bollinger_reversion() -> None:
    found = said("bollinger_reversion", IN_AND_OUT, period=3, deviations=1)

    assert found == ([5], [3, 6], [3], [5])


def test_keltner_breakout() -> None:
    # mean of 2: - 10 10 14 16 12 | true range of 1: - 0 0 6 2 7
    # upper - 10 10 17 17 15.5, lower - 10 10 11 15 8.5 with half a true range
    closes = [10, 10, 10, 16, 17, 10]
    found = said("keltner_breakout", closes, period=2, atr_period=1, multiplier=0.5)
    bands = Indicators(candles_of([(c, c, c, c) for c in closes])).keltner(2, 1, 0.5)

    assert bands.middle[1:] == pytest.approx([10, 10, 14, 16, 12])
    assert bands.upper[2:] == pytest.approx([10, 17, 16.5, 15.5])
    assert found == ([4], [5], [], [3])


def test_donchian_breakout() -> None:
    # A close equal to the highest before it breaks out of nothing: bar 4 exits neither
    found = said("donchian_breakout", [1, 2, 3, 4, 3, 2, 1], entry=3, exit=2)

    assert found == ([3], [5, 6], [5, 6], [2, 3])


def test_donchian_looks_at_highs_and_lows_of_the_candles_before() -> None:
    rows = [(5, 9, 4, 5), (5, 6, 3, 5), (5, 10, 5, 9), (9, 20, 2, 9.5), (9, 9, 1, 1.5)]

    # bar 3: 9.5 > 9? its own high of 20 does not count, but that of bar 2, 10, does
    assert said("donchian_breakout", candles_of(rows), entry=2, exit=2) == ([], [4], [4], [])


def test_supertrend() -> None:
    # true range of 2: - - 0 5 2.5 8.75 | on bar 2 the line is the close itself, then 5 below
    closes = [10, 10, 10, 20, 20, 5, 4, 30]
    found = said("supertrend", closes, period=2, multiplier=1)
    line = talib.SUPERTREND(*[np.array(closes, float)] * 3, 2, 1.0)[0]

    assert line[2:6] == pytest.approx([10, 15, 17.5, 13.75])
    assert found == ([3, 7], [5], [5], [3, 7])


def test_supertrend_crosses_where_talibs_trend_turns() -> None:
    random = np.random.default_rng(4)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.01, 2_000)))
    candles = candles_of([(c, c * 1.004, c * 0.997, c) for c in closes])
    trend = talib.SUPERTREND(candles.high, candles.low, candles.close, 5, 2.0)[1]
    turned = [bar for bar in range(6, 2_000) if trend[bar] != trend[bar - 1]]

    enter, leave, _, _ = said("supertrend", candles, period=5, multiplier=2)

    assert len(turned) > 50
    assert sorted(enter + leave) == turned
    assert all(trend[bar] == 1 for bar in enter)


def test_adx_trend() -> None:
    # Still, then each candle 1 higher, then each 1 lower. With means of 2, ADX 0 0 50 75 87.5 …
    closes = [10, 10, 10, 10, 11, 12, 13, 12, 11, 10]
    adx = talib.ADX(*[np.array(closes, float)] * 3, 2)
    assert adx[3:] == pytest.approx([0, 50, 75, 87.5, 47.1, 51.0, 64.4], abs=0.05)

    # Falls outweigh rises from bar 7 on; above 60 that trend is firm on bar 9 only
    assert said("adx_trend", closes, period=2, threshold=60) == ([5], [7], [9], [4])
    assert said("adx_trend", closes, period=2, threshold=40) == ([4], [7], [7], [4])


def test_stochastic() -> None:
    # k - - 0 100 100 0 0 100 | d - - - 50 100 50 0 50
    closes, spans = [3, 2, 1, 2, 3, 2, 1, 3], {"period": 3, "slowing": 1, "signal": 2}

    assert said("stochastic", closes, **spans, lower=60, upper=70) == ([7], [], [], [7])
    assert said("stochastic", closes, **spans, lower=30, upper=40) == ([], [5], [5], [])


def test_rate_of_change() -> None:
    # - - 0 % 11 % 0 % -18.9 % -11 %
    closes = [100, 100, 100, 111, 100, 90, 89]

    assert said("rate_of_change", closes, period=2, threshold=0.1) == ([3], [5], [5], [3])


def test_zscore_reversion() -> None:
    # - - -0.71 -1.37 0.71 1.28 -0.71
    closes = [10, 11, 10, 7, 10, 14, 10]

    assert said("zscore_reversion", closes, period=3, entry=1) == ([3], [4], [5], [6])
    assert said("zscore_reversion", closes, period=3, entry=1.3) == ([3], [4], [], [6])


def test_vwap_deviation() -> None:
    # mean - 100 85 85 115 115, each a tenth away: 90..110, 76.5..93.5, 103.5..126.5
    closes = [100, 100, 70, 100, 130, 100]

    assert said("vwap_deviation", closes, period=2, deviation=0.1) == ([2, 5], [3], [3], [2, 5])


def test_volatility_breakout() -> None:
    # true ranges - 1 2 0 3: from 11 to 13 is farther than 1, from 13 to 10 than 0
    found = said("volatility_breakout", [10, 11, 13, 13, 10], period=1, factor=1)

    assert found == ([2], [4], [4], [2])


def test_buy_and_hold_never_sells_and_is_never_short() -> None:
    assert said("buy_and_hold", [3, 2, 1]) == ([0, 1, 2], [], [], [])


@pytest.mark.parametrize("name", ["ema_cross", "macd_cross", "supertrend"])
def test_lines_that_cross_are_given_as_such(name: str) -> None:
    candles = candles_of([(9, 9, 9, 9)] * 5)
    params = CATALOGUE[name].params()

    assert isinstance(CATALOGUE[name].signals(candles, params, Indicators(candles)), Cross)


@pytest.mark.parametrize(
    ("name", "params", "where"),
    [
        ("ema_cross", {"fast": 26}, ()),
        ("ema_cross", {"fast": 1}, ("fast",)),
        ("macd_cross", {"fast": 30}, ()),
        ("macd_cross", {"signal": 1}, ("signal",)),
        ("bollinger_breakout", {"deviations": 0}, ("deviations",)),
        ("bollinger_reversion", {"period": 1}, ("period",)),
        ("keltner_breakout", {"multiplier": -1}, ("multiplier",)),
        ("donchian_breakout", {"entry": 5, "exit": 6}, ()),
        ("donchian_breakout", {"exit": 1}, ("exit",)),
        ("supertrend", {"multiplier": 0}, ("multiplier",)),
        ("adx_trend", {"threshold": 100}, ("threshold",)),
        ("stochastic", {"lower": 80, "upper": 20}, ()),
        ("rate_of_change", {"threshold": -0.1}, ("threshold",)),
        ("zscore_reversion", {"entry": 1, "exit": 1}, ()),
        ("vwap_deviation", {"deviation": 1}, ("deviation",)),
        ("volatility_breakout", {"factor": 0}, ("factor",)),
        ("buy_and_hold", {"period": 3}, ("period",)),
    ],
)
def test_a_strategy_refuses_what_it_cannot_mean(name: str, params: dict, where: tuple) -> None:
    with pytest.raises(ValidationError) as refused:
        CATALOGUE[name].warmup(params)

    assert [error["loc"] for error in refused.value.errors()] == [where]


@pytest.mark.parametrize(
    ("name", "candles"),
    [
        ("ema_cross", 261),
        ("macd_cross", 351),
        ("bollinger_breakout", 20),
        ("donchian_breakout", 20),
        ("supertrend", 651),
        ("adx_trend", 351),
        ("keltner_breakout", 201),
        ("stochastic", 18),
        ("rate_of_change", 21),
        ("zscore_reversion", 20),
        ("vwap_deviation", 24),
        ("volatility_breakout", 281),
        ("buy_and_hold", 1),
        ("composite", 351),
    ],
)
def test_a_strategy_warms_up_until_the_candle_before_has_its_value(name: str, candles: int) -> None:
    assert CATALOGUE[name].warmup({}) == candles


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - {"sma_cross", "rsi_reversion"}))
def test_no_parameter_needs_more_candles_than_can_be_read(name: str) -> None:
    fields = CATALOGUE[name].params.model_json_schema().get("properties", {})
    most = {field: said["maximum"] for field, said in fields.items() if "maximum" in said}
    if "fast" in most:
        most["fast"] = most["slow"] - 1
    most.pop("exit", None)

    assert CATALOGUE[name].warmup(most) <= MAX_WARMUP
