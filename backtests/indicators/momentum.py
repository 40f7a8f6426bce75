"""Indicators of momentum: how fast the price goes, and whether it has gone far."""

from __future__ import annotations

import math

from backtests.indicators import composed, swings
from backtests.indicators.definition import (
    FAST_SLOW_SIGNAL,
    Indicator,
    Line,
    Parameter,
    candles_in,
    signalled,
    talib_of,
)
from backtests.indicators.memory import EMA, EMA_OF_EMA, WILDER
from backtests.indicators.talib_functions import talib

BOUNDED = Line("value", "0..100")
BARS = ("high", "low", "close")


def _kst_lookback(*parameters: int) -> int:
    """Return the longest rate of change with its mean, and the signal's."""
    spans, means, signal = parameters[:4], parameters[4:8], parameters[8]
    return max(span + mean - 1 for span, mean in zip(spans, means, strict=True)) + signal - 1


MOMENTUM = (
    Indicator(
        "rsi",
        "momentum",
        "Wilder's relative strength index of the closes; 0 where they never move.",
        "TA-Lib RSI",
        (BOUNDED,),
        (candles_in("candles in Wilder's means", 14),),
        talib_of(talib.RSI, "close"),
        lambda period: period,
        lambda period: WILDER * period,
    ),
    Indicator(
        "stochastic",
        "momentum",
        "Where the close lies between the lowest low and the highest high; 0 where they are one.",
        "TA-Lib STOCH",
        (Line("k", "0..100"), Line("d", "0..100")),
        (
            candles_in("candles looked back", 14, least=1),
            candles_in("candles in the mean that is k", 3, least=1, name="slowing"),
            candles_in("candles in the mean of k that is d", 3, least=1, name="signal"),
        ),
        lambda candles, period, slowing, signal: talib.STOCH(
            candles.high,
            candles.low,
            candles.close,
            period,
            slowing,
            talib.MA_Type.SMA,
            signal,
            talib.MA_Type.SMA,
        ),
        lambda period, slowing, signal: period + slowing + signal - 3,
        lambda period, slowing, signal: period + slowing + signal - 3,
    ),
    Indicator(
        "stochastic_rsi",
        "momentum",
        "Where the RSI lies between its own lowest and highest.",
        "TA-Lib STOCHRSI",
        (Line("k", "0..100"), Line("d", "0..100")),
        (
            candles_in("candles in the RSI", 14),
            candles_in("candles looked back", 14, least=1, name="back"),
            candles_in("candles in the mean of k that is d", 3, least=1, name="signal"),
        ),
        talib_of(talib.STOCHRSI, "close"),
        lambda period, back, signal: period + back + signal - 2,
        lambda period, back, signal: WILDER * period + back + signal,
    ),
    Indicator(
        "cci",
        "momentum",
        "Commodity channel index: the typical price's distance from its mean, in mean deviations.",
        "TA-Lib CCI",
        (Line("value", "about -300..300"),),
        (candles_in("candles in the mean", 20),),
        talib_of(talib.CCI, *BARS),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "cmo",
        "momentum",
        "Chande's momentum oscillator, by Wilder's means.",
        "TA-Lib CMO",
        (Line("value", "-100..100"),),
        (candles_in("candles in Wilder's means", 14),),
        talib_of(talib.CMO, "close"),
        lambda period: period,
        lambda period: WILDER * period,
    ),
    Indicator(
        "momentum",
        "momentum",
        "Change of the close over some candles.",
        "TA-Lib MOM",
        (Line("value", "price change"),),
        (candles_in("candles looked back", 10, least=1),),
        talib_of(talib.MOM, "close"),
        lambda period: period,
        lambda period: period,
    ),
    Indicator(
        "roc",
        "momentum",
        "Rate of change of the close over some candles.",
        "TA-Lib ROC",
        (Line("value", "percent"),),
        (candles_in("candles looked back", 10, least=1),),
        talib_of(talib.ROC, "close"),
        lambda period: period,
        lambda period: period,
    ),
    Indicator(
        "williams_r",
        "momentum",
        "Williams' %R: the stochastic, measured from the top.",
        "TA-Lib WILLR",
        (Line("value", "-100..0"),),
        (candles_in("candles looked back", 14),),
        talib_of(talib.WILLR, *BARS),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "ultimate_oscillator",
        "momentum",
        "Williams' ultimate oscillator: buying pressure over three spans.",
        "TA-Lib ULTOSC",
        (BOUNDED,),
        (
            candles_in("candles in the shortest span", 7, least=1, name="short"),
            candles_in("candles in the middle span", 14, least=1, name="middle"),
            candles_in("candles in the longest span", 28, least=1, name="long"),
        ),
        talib_of(talib.ULTOSC, *BARS),
        lambda short, middle, long: max(short, middle, long),
        lambda short, middle, long: max(short, middle, long),
    ),
    Indicator(
        "trix",
        "momentum",
        "Rate of change of a triple exponential average, from candle to candle.",
        "TA-Lib TRIX",
        (Line("value", "percent"),),
        (candles_in("candles in each average", 15, least=1),),
        talib_of(talib.TRIX, "close"),
        lambda period: 3 * (period - 1) + 1,
        lambda period: (EMA_OF_EMA + EMA) * period,
    ),
    Indicator(
        "tsi",
        "momentum",
        "True strength index: changes against absolute changes, both averaged twice.",
        "TA-Lib TSI",
        (Line("value", "-100..100"),),
        (
            candles_in("candles in the first average", 25, name="first"),
            candles_in("candles in the second average", 13, name="second"),
        ),
        talib_of(talib.TSI, "close"),
        lambda first, second: first + second - 1,
        lambda first, second: EMA * (first + second) + EMA * max(first, second),
    ),
    Indicator(
        "ppo",
        "momentum",
        "Distance of two exponential averages, as a share of the slow one.",
        "TA-Lib PPO",
        (Line("value", "percent"),),
        (
            candles_in("candles in the fast average", 12, name="fast"),
            candles_in("candles in the slow average", 26, name="slow"),
        ),
        lambda candles, fast, slow: talib.PPO(candles.close, fast, slow, talib.MA_Type.EMA),
        lambda fast, slow: max(fast, slow) - 1,
        lambda fast, slow: EMA * max(fast, slow),
    ),
    Indicator(
        "ppo_with_signal",
        "momentum",
        "The distance of `ppo`, with an exponential average as its signal.",
        "Mela",
        signalled("percent"),
        FAST_SLOW_SIGNAL,
        composed.ppo_with_signal,
        lambda fast, slow, signal: max(fast, slow) + signal - 2,
        lambda fast, slow, signal: EMA * (max(fast, slow) + signal),
    ),
    Indicator(
        "awesome_oscillator",
        "momentum",
        "Williams' awesome oscillator: distance of two means of the candles' middles.",
        "TA-Lib AO",
        (Line("value", "price change"),),
        (
            candles_in("candles in the fast mean", 5, name="fast"),
            candles_in("candles in the slow mean", 34, name="slow"),
        ),
        talib_of(talib.AO, "high", "low"),
        lambda fast, slow: max(fast, slow) - 1,
        lambda fast, slow: max(fast, slow) - 1,
    ),
    Indicator(
        "dpo",
        "momentum",
        "Detrended price: a close half a period ago less the mean that ends now.",
        "TA-Lib DPO",
        (Line("value", "price change"),),
        (candles_in("candles in the mean", 20),),
        talib_of(talib.DPO, "close"),
        lambda period: max(period - 1, period // 2 + 1),
        lambda period: max(period - 1, period // 2 + 1),
    ),
    Indicator(
        "kst",
        "momentum",
        "Pring's know sure thing: four smoothed rates of change, weighted 1 to 4.",
        "Mela",
        (Line("line", "percent, weighted"), Line("signal", "percent, weighted")),
        (
            *(
                candles_in(f"candles in rate of change {place}", span, least=1, name=f"roc{place}")
                for place, span in enumerate((10, 15, 20, 30), 1)
            ),
            *(
                candles_in(
                    f"candles in the mean of rate {place}", span, least=1, name=f"mean{place}"
                )
                for place, span in enumerate((10, 10, 10, 15), 1)
            ),
            candles_in("candles in the signal", 9, least=1, name="signal"),
        ),
        composed.kst,
        _kst_lookback,
        _kst_lookback,
    ),
    Indicator(
        "schaff_trend_cycle",
        "momentum",
        "Schaff's trend cycle: the MACD's place in its own range, taken twice and smoothed.",
        "Mela",
        (BOUNDED,),
        (
            candles_in("candles in each range", 10, name="cycle"),
            candles_in("candles in the fast average", 23, name="fast"),
            candles_in("candles in the slow average", 50, name="slow"),
            Parameter("smoothing", 0.5, 0.01, "share of each new place", most=1.0),
        ),
        swings.schaff_trend_cycle,
        lambda cycle, fast, slow, _: max(fast, slow) - 1 + 2 * (cycle - 1),
        # Each of the two smoothings loses its share with every candle.
        lambda cycle, fast, slow, smoothing: (
            EMA * max(fast, slow) + 2 * cycle + math.ceil(2 * EMA_OF_EMA / smoothing)
        ),
    ),
)
