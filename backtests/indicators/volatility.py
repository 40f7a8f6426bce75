"""Indicators of volatility: how far the price goes, either way."""

from __future__ import annotations

from backtests.indicators import composed, windows
from backtests.indicators.definition import Indicator, Line, candles_in, factor, talib_of
from backtests.indicators.memory import EMA, WILDER
from backtests.indicators.talib_functions import talib

BARS = ("high", "low", "close")
BANDS = (Line("upper", "price"), Line("middle", "price"), Line("lower", "price"))

VOLATILITY = (
    Indicator(
        "atr",
        "volatility",
        "Wilder's average true range.",
        "TA-Lib ATR",
        (Line("value", "price change"),),
        (candles_in("candles in Wilder's mean", 14, least=1),),
        talib_of(talib.ATR, *BARS),
        lambda period: period,
        lambda period: WILDER * period,
    ),
    Indicator(
        "natr",
        "volatility",
        "The average true range as a share of the close.",
        "TA-Lib NATR",
        (Line("value", "percent"),),
        (candles_in("candles in Wilder's mean", 14, least=1),),
        talib_of(talib.NATR, *BARS),
        lambda period: period,
        lambda period: WILDER * period,
    ),
    Indicator(
        "true_range",
        "volatility",
        "The candle's range, the gap from the close before it included.",
        "TA-Lib TRANGE",
        (Line("value", "price change"),),
        (),
        talib_of(talib.TRANGE, *BARS),
        lambda: 1,
        lambda: 1,
    ),
    Indicator(
        "standard_deviation",
        "volatility",
        "Standard deviation (ddof 0) of the closes.",
        "TA-Lib STDDEV",
        (Line("value", "price change"),),
        (candles_in("closes", 20),),
        talib_of(talib.STDDEV, "close"),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "bollinger",
        "volatility",
        "Bollinger's bands: standard deviations (ddof 0) around the simple mean.",
        "TA-Lib BBANDS",
        BANDS,
        (
            candles_in("candles in the mean", 20),
            factor("deviations", 2.0, "standard deviations from the middle to a band"),
        ),
        lambda candles, period, deviations: talib.BBANDS(
            candles.close, period, float(deviations), float(deviations)
        ),
        lambda period, *_: period - 1,
        lambda period, *_: period - 1,
    ),
    Indicator(
        "keltner",
        "volatility",
        "Keltner's channel: average true ranges around an exponential mean of typical prices.",
        "TA-Lib KC",
        BANDS,
        (
            candles_in("candles in the mean", 20),
            candles_in("candles in the average true range", 10, least=1, name="atr_period"),
            factor("multiplier", 2.0, "true ranges from the middle to a band"),
        ),
        talib_of(talib.KC, *BARS),
        lambda period, atr_period, *_: max(period - 1, atr_period),
        lambda period, atr_period, *_: max(EMA * period, WILDER * atr_period),
    ),
    Indicator(
        "donchian",
        "volatility",
        "Donchian's channel: highest high and lowest low, this candle's included.",
        "TA-Lib DONCHIAN",
        BANDS,
        (candles_in("candles in the channel", 20),),
        talib_of(talib.DONCHIAN, "high", "low"),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "zscore",
        "volatility",
        "Distance of the close from its mean, in standard deviations (ddof 0).",
        "Mela",
        (Line("value", "deviations"),),
        (candles_in("closes", 20),),
        windows.zscore,
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "choppiness",
        "volatility",
        "Choppiness index: how much of the way led to and fro.",
        "Mela",
        (Line("value", "about 0..100"),),
        (candles_in("candles in the sum and the range", 14),),
        composed.choppiness,
        lambda period: period,
        lambda period: period,
    ),
    Indicator(
        "ulcer_index",
        "volatility",
        "Martin's ulcer index: root of the mean squared fall below the highest close.",
        "Mela",
        (Line("value", "percent"),),
        (candles_in("closes in the mean and below each highest", 14),),
        composed.ulcer_index,
        lambda period: 2 * (period - 1),
        lambda period: 2 * (period - 1),
    ),
)
