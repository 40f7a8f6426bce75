"""Indicators of volume: what was traded, and at which prices."""

from __future__ import annotations

import talib

from backtests.indicators import windows
from backtests.indicators.definition import Indicator, Line, candles_in, talib_of
from backtests.indicators.memory import EMA

TRADED = ("high", "low", "close", "volume")
PRICE = (Line("value", "price"),)
DAY_OF_MINUTES = 1_440

VOLUME = (
    Indicator(
        "obv",
        "volume",
        "On-balance volume: the sum of volumes, signed by the close's change.",
        "TA-Lib OBV",
        (Line("value", "volume"),),
        (),
        talib_of(talib.OBV, "close", "volume"),
        lambda: 0,
        lambda: None,
    ),
    Indicator(
        "ad",
        "volume",
        "Accumulation and distribution: the sum of volumes, weighted by the close's place.",
        "TA-Lib AD",
        (Line("value", "volume"),),
        (),
        talib_of(talib.AD, *TRADED),
        lambda: 0,
        lambda: None,
    ),
    Indicator(
        "adosc",
        "volume",
        "Chaikin's oscillator: distance of two exponential averages of `ad`.",
        "TA-Lib ADOSC",
        (Line("value", "volume"),),
        (
            candles_in("candles in the fast average", 3, name="fast"),
            candles_in("candles in the slow average", 10, name="slow"),
        ),
        talib_of(talib.ADOSC, *TRADED),
        lambda fast, slow: max(fast, slow) - 1,
        lambda fast, slow: EMA * max(fast, slow),
    ),
    Indicator(
        "cmf",
        "volume",
        "Chaikin's money flow: where closes lie in their candles, weighted by volume.",
        "TA-Lib CMF",
        (Line("value", "-1..1"),),
        (candles_in("candles in the sums", 20),),
        talib_of(talib.CMF, *TRADED),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "mfi",
        "volume",
        "Money flow index: the relative strength index of what was paid.",
        "TA-Lib MFI",
        (Line("value", "0..100"),),
        (candles_in("candles in the sums", 14),),
        talib_of(talib.MFI, *TRADED),
        lambda period: period,
        lambda period: period,
    ),
    Indicator(
        "vwma",
        "volume",
        "Mean of the closes, weighted by volume.",
        "TA-Lib VWMA",
        PRICE,
        (candles_in("candles in the mean", 20, least=1),),
        talib_of(talib.VWMA, "close", "volume"),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "vwap",
        "volume",
        "Mean of the typical prices, weighted by volume; undefined where nothing was traded.",
        "Mela",
        PRICE,
        (candles_in("candles in the mean", 24, least=1),),
        windows.vwap,
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "session_vwap",
        "volume",
        "Mean of the typical prices since the UTC day began, weighted by volume.",
        "Mela",
        PRICE,
        (),
        windows.session_vwap,
        lambda: 0,
        lambda: DAY_OF_MINUTES,
    ),
)
