"""Indicators of trend: where the price goes, and how firmly."""

from __future__ import annotations

import math

import numpy as np

from backtests.indicators import composed, swings, windows
from backtests.indicators.definition import (
    FAST_SLOW_SIGNAL,
    Float,
    Indicator,
    Line,
    Parameter,
    candles_in,
    factor,
    signalled,
    talib_of,
)
from backtests.indicators.memory import EMA, EMA_OF_EMA, WILDER, WILDER_OF_WILDER
from backtests.indicators.talib_functions import talib
from mela.candles import Candles

PRICE = (Line("value", "price"),)
BARS = ("high", "low", "close")
# Two beginnings meet after some turns. A price that moves half a percent a candle takes
# (deviation / 0.5)² candles for one, and these are ten.
ZIGZAG_CANDLES = 40
HEIKIN_ASHI = 30  # candles in which a half of a half of … is forgotten as EMA forgets
KAMA_SLOWEST = 4_800  # candles in which its slowest smoothing, (2 / 31)², forgets as EMA does


def _supertrend(candles: Candles, period: int, multiplier: float) -> tuple[Float, Float]:
    line, direction = talib.SUPERTREND(
        candles.high, candles.low, candles.close, period, float(multiplier)
    )
    trend = direction.astype(np.float64)
    trend[np.isnan(line)] = np.nan
    return line, trend


def _mean(
    name: str, doc: str, function: str, *, least: int = 2, depth: int = 1, memory: int | None = None
) -> Indicator:
    """Return a mean of the closes; memory: candles per candle of the period, None for a window."""

    def lookback(period: int) -> int:
        return depth * (period - 1)

    def warmup(period: int) -> int:
        return lookback(period) if memory is None else memory * period

    period = candles_in("candles in the mean", 20, least=least)
    compute = talib_of(getattr(talib, function), "close")
    source = f"TA-Lib {function}"
    return Indicator(name, "trend", doc, source, PRICE, (period,), compute, lookback, warmup)


def _directional(name: str, doc: str, function: str) -> Indicator:
    return Indicator(
        name,
        "trend",
        doc,
        f"TA-Lib {function}",
        (Line("value", "0..100"),),
        (candles_in("candles in Wilder's means", 14),),
        talib_of(getattr(talib, function), "high", "low", "close"),
        lambda period: period,
        lambda period: WILDER * period,
    )


TREND = (
    _mean("sma", "Simple moving average of the closes.", "SMA", least=1),
    _mean("ema", "Exponential moving average of the closes.", "EMA", memory=EMA),
    _mean("wma", "Linearly weighted moving average of the closes.", "WMA"),
    _mean("dema", "Double exponential average.", "DEMA", depth=2, memory=EMA_OF_EMA),
    _mean("tema", "Triple exponential average.", "TEMA", depth=3, memory=EMA_OF_EMA + EMA),
    Indicator(
        "hma",
        "trend",
        "Hull's moving average: weighted means that lag little.",
        "TA-Lib HMA",
        PRICE,
        (candles_in("candles in the mean", 20),),
        talib_of(talib.HMA, "close"),
        lambda period: period + math.isqrt(period) - 2,
        lambda period: period + math.isqrt(period) - 2,
    ),
    Indicator(
        "kama",
        "trend",
        "Kaufman's adaptive average: fast in a trend, slow in noise.",
        "TA-Lib KAMA",
        PRICE,
        (candles_in("candles over which efficiency is measured", 30),),
        talib_of(talib.KAMA, "close"),
        lambda period: period,
        lambda period: period + KAMA_SLOWEST,
    ),
    _mean("smma", "Smoothed moving average: Wilder's, also RMA.", "RMA", memory=WILDER),
    Indicator(
        "zlema",
        "trend",
        "Exponential average of closes carried on by their change over half a period.",
        "TA-Lib ZLEMA",
        PRICE,
        (candles_in("candles in the mean", 20),),
        talib_of(talib.ZLEMA, "close"),
        lambda period: period - 1 + (period - 1) // 2,
        lambda period: EMA * period + (period - 1) // 2,
    ),
    Indicator(
        "t3",
        "trend",
        "Tillson's T3: exponential averages in a row of six, made quicker by the volume factor.",
        "TA-Lib T3",
        PRICE,
        (
            candles_in("candles in each average", 5),
            Parameter("volume_factor", 0.7, 0.0, "how much quicker: 0 not at all", most=1.0),
        ),
        talib_of(talib.T3, "close"),
        lambda period, _: 6 * (period - 1),
        lambda period, _: (EMA_OF_EMA + 4 * EMA) * period,
    ),
    Indicator(
        "alma",
        "trend",
        "Arnaud Legoux' moving average: weights like a bell, near the newest close.",
        "Mela",
        PRICE,
        (
            candles_in("candles in the mean", 9, least=1),
            Parameter("offset", 0.85, 0.0, "where the bell's top lies: 1 at the newest", most=1.0),
            Parameter("sigma", 6.0, 0.01, "how narrow the bell is", most=1_000.0),
        ),
        windows.alma,
        lambda period, *_: period - 1,
        lambda period, *_: period - 1,
    ),
    Indicator(
        "macd",
        "trend",
        "Convergence and divergence of two exponential averages, with a mean as its signal.",
        "TA-Lib MACD",
        signalled("price change"),
        FAST_SLOW_SIGNAL,
        talib_of(talib.MACD, "close"),
        lambda fast, slow, signal: max(fast, slow) + signal - 2,
        lambda fast, slow, signal: EMA * (max(fast, slow) + signal),
    ),
    Indicator(
        "sar",
        "trend",
        "Wilder's parabolic stop and reverse.",
        "TA-Lib SAR",
        PRICE,
        (
            Parameter("acceleration", 0.02, 0.0001, "what each new extreme adds", most=10.0),
            Parameter("maximum", 0.2, 0.0001, "the fastest that it follows", most=10.0),
        ),
        talib_of(talib.SAR, "high", "low"),
        lambda *_: 1,
        lambda acceleration, maximum: math.ceil(20 / min(acceleration, maximum)),
    ),
    Indicator(
        "supertrend",
        "trend",
        "A band of true ranges that follows the price; trend is 1 above it and -1 below.",
        "TA-Lib SUPERTREND",
        (Line("line", "price"), Line("trend", "-1 or 1")),
        (
            candles_in("candles in the average true range", 10),
            factor("multiplier", 3.0, "true ranges from the middle to the band"),
        ),
        _supertrend,
        lambda period, *_: period,
        # A band keeps what it was until the price crosses it, which takes some such widths squared.
        lambda period, multiplier: WILDER * period + math.ceil(50 * multiplier**2),
    ),
    Indicator(
        "linear_regression",
        "trend",
        "End of the straight line through the closes, by least squares.",
        "TA-Lib LINEARREG",
        PRICE,
        (candles_in("candles in the line", 14),),
        talib_of(talib.LINEARREG, "close"),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "slope",
        "trend",
        "Slope of the straight line through the closes, per candle, by least squares.",
        "TA-Lib LINEARREG_SLOPE",
        (Line("value", "price change"),),
        (candles_in("candles in the line", 14),),
        talib_of(talib.LINEARREG_SLOPE, "close"),
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "r_squared",
        "trend",
        "Share of the closes' variance that the straight line through them explains.",
        "Mela",
        (Line("value", "0..1"),),
        (candles_in("candles in the line", 14),),
        windows.r_squared,
        lambda period: period - 1,
        lambda period: period - 1,
    ),
    Indicator(
        "ichimoku",
        "trend",
        "Middles of three channels, the spans as computed before; no line from a later candle.",
        "Mela",
        tuple(
            Line(name, "price") for name in ("conversion", "base", "span_a", "span_b", "past_close")
        ),
        (
            candles_in("candles in the conversion line", 9, name="conversion"),
            candles_in("candles in the base line", 26, name="base"),
            candles_in("candles in the second span", 52, name="span_b"),
            candles_in("candles from a span to where it lies", 26, least=0, name="displacement"),
        ),
        composed.ichimoku,
        lambda *channels: max(channels[:3]) - 1 + channels[3],
        lambda *channels: max(channels[:3]) - 1 + channels[3],
    ),
    Indicator(
        "heikin_ashi",
        "trend",
        "Candles whose open is the middle of the one before, and whose close is a mean of four.",
        "TA-Lib HA",
        tuple(Line(name, "price") for name in ("open", "high", "low", "close")),
        (),
        talib_of(talib.HA, "open", *BARS),
        lambda: 0,
        lambda: HEIKIN_ASHI,
    ),
    Indicator(
        "chandelier_exit",
        "trend",
        "LeBeau's stops: average true ranges below the highest high, above the lowest low.",
        "Mela",
        (Line("long", "price"), Line("short", "price")),
        (
            candles_in("candles in the channel and the average true range", 22),
            factor("multiplier", 3.0, "true ranges from the extreme to the stop"),
        ),
        composed.chandelier_exit,
        lambda period, _: period,
        lambda period, _: WILDER * period,
    ),
    Indicator(
        "zigzag",
        "trend",
        "The last confirmed turns; trend is 1 after a low and -1 after a high.",
        "Mela",
        (
            Line("high", "price"),
            Line("low", "price"),
            Line("trend", "-1 or 1"),
            Line("age", "candles"),
        ),
        (Parameter("deviation", 5.0, 0.01, "percent of the least turn", most=99.0),),
        swings.zigzag,
        lambda _: 1,
        lambda deviation: math.ceil(ZIGZAG_CANDLES * deviation**2),
    ),
    Indicator(
        "adx",
        "trend",
        "Wilder's average directional index: how firm a trend is, either way.",
        "TA-Lib ADX",
        (Line("value", "0..100"),),
        (candles_in("candles in Wilder's means", 14),),
        talib_of(talib.ADX, "high", "low", "close"),
        lambda period: 2 * period - 1,
        lambda period: WILDER_OF_WILDER * period,
    ),
    _directional("plus_di", "Wilder's directional indicator of rises.", "PLUS_DI"),
    _directional("minus_di", "Wilder's directional indicator of falls.", "MINUS_DI"),
    Indicator(
        "aroon",
        "trend",
        "How lately the lowest low and the highest high were.",
        "TA-Lib AROON",
        (Line("down", "0..100"), Line("up", "0..100")),
        (candles_in("candles looked back", 14),),
        talib_of(talib.AROON, "high", "low"),
        lambda period: period,
        lambda period: period,
    ),
    Indicator(
        "vortex",
        "trend",
        "Upward and downward movement against the true range.",
        "TA-Lib VORTEX",
        (Line("plus", "ratio"), Line("minus", "ratio")),
        (candles_in("candles in the sums", 14),),
        talib_of(talib.VORTEX, "high", "low", "close"),
        lambda period: period,
        lambda period: period,
    ),
)
