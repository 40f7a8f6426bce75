"""Indicators that TA-Lib lacks, put together from its functions and from sums of windows."""

from __future__ import annotations

import math

import numpy as np

from backtests.indicators import windows
from backtests.indicators.definition import Float
from backtests.indicators.talib_functions import talib
from mela.candles import Candles

Lines = tuple[Float, ...]
EXPONENTIAL = 1  # TA-Lib's number of this mean; PVO's types do not take the name


def with_signal(line: Float, signal: int) -> Lines:
    """Return a line, its exponential average, and the distance between them.

    line: (n,) float64, NaN only before its first value
    """
    mean = talib.EMA(line, signal) if signal > 1 else line
    return _together(line, mean, line - mean)


def ppo_with_signal(candles: Candles, fast: int, slow: int, signal: int) -> Lines:
    """Return the PPO of the closes with its signal, in percent.

    Source: Gerald Appel, "Technical Analysis: Power Tools for Active Investors" (2005).
    """
    return with_signal(talib.PPO(candles.close, fast, slow, talib.MA_Type.EMA), signal)


def pvo(candles: Candles, fast: int, slow: int, signal: int) -> Lines:
    """Return the PPO of the volume with its signal, in percent; 0 where nothing was traded.

    Source: https://chartschool.stockcharts.com, "Percentage Volume Oscillator (PVO)".
    """
    return with_signal(talib.PVO(candles.volume, fast, slow, EXPONENTIAL), signal)


def ichimoku(candles: Candles, conversion: int, base: int, span_b: int, displacement: int) -> Lines:
    """Return the lines of Ichimoku as they lie at each candle, none from a later one.

    A chart draws the spans `displacement` candles ahead, and the close as many behind. A candle
    meets spans that were computed before it; its own close meets the close that lies behind.

    returns: conversion, base, span_a, span_b and the past close: (n,) float64, prices

    Source: Goichi Hosoda, "Ichimoku Kinko Hyo" (1969); with 26, StockCharts' places, with 25
        those of TradingView.
    """
    high, low = candles.high, candles.low
    turning, standard, wide = (
        talib.MIDPRICE(high, low, period) for period in (conversion, base, span_b)
    )
    return _together(
        turning,
        standard,
        _earlier((turning + standard) / 2, displacement),
        _earlier(wide, displacement),
        _earlier(candles.close, displacement),
    )


def chandelier_exit(candles: Candles, period: int, multiplier: float) -> Lines:
    """Return the stop under the highest high and the one above the lowest low.

    returns: two lines of (n,) float64, prices

    Source: Chuck LeBeau's, in Alexander Elder, "Come Into My Trading Room" (2002).
    """
    high, low = candles.high, candles.low
    reach = multiplier * talib.ATR(high, low, candles.close, period)
    return talib.MAX(high, period) - reach, talib.MIN(low, period) + reach


def kst(candles: Candles, *parameters: int) -> Lines:
    """Return Pring's KST and its simple mean.

    parameters: four spans of the rates of change, four of their means, that of the signal
    returns: two lines of (n,) float64, percent, weighted

    Source: Martin Pring, "Summed Rate of Change (KST)", Stocks & Commodities 10:9 (1992).
    """
    spans, means, signal = parameters[:4], parameters[4:8], parameters[8]
    line = np.zeros(len(candles))
    for weight, (span, mean) in enumerate(zip(spans, means, strict=True), 1):
        line += weight * talib.SMA(talib.ROC(candles.close, span), mean)
    return _together(line, talib.SMA(line, signal))


def choppiness(candles: Candles, period: int) -> Float:
    """Return the true ranges' sum against the window's range, as a logarithm, 0 to 100.

    It exceeds 100 only where a gap before the window is wider than the window.

    returns: (n,) float64, NaN where highest high and lowest low are one

    Source: E. W. Dreiss, as TradingView's help page "Choppiness Index (CHOP)" states it.
    """
    ways = windows.rolling_sum(talib.TRANGE(candles.high, candles.low, candles.close), period)
    reach = talib.MAX(candles.high, period) - talib.MIN(candles.low, period)
    found = np.full(len(candles), np.nan)
    moved = reach > 0
    found[moved] = 100 * np.log10(ways[moved] / reach[moved]) / math.log10(period)
    return found


def ulcer_index(candles: Candles, period: int) -> Float:
    """Return the root of the mean squared fall, each below the highest close of its own window.

    returns: (n,) float64, percent, at least 0

    Source: Peter Martin and Byron McCann, "The Investor's Guide to Fidelity Funds" (1989); the
        windows are those of https://chartschool.stockcharts.com, "Ulcer Index".
    """
    highest = talib.MAX(candles.close, period)
    drawdown = 100 * (candles.close - highest) / highest
    return np.sqrt(windows.rolling_sum(drawdown * drawdown, period) / period)


def ease_of_movement(candles: Candles, period: int, scale: float) -> Float:
    """Return the mean of how far the middle moved, times the range, for `scale` volume.

    returns: (n,) float64, squared price per volume; NaN where the window holds a candle with a
        range but without volume. A candle without range counts as 0.

    Source: Richard Arms, as https://chartschool.stockcharts.com, "Ease of Movement (EMV)".
    """
    middle = (candles.high + candles.low) / 2
    reach = candles.high - candles.low
    moved = np.diff(middle, prepend=np.nan) * reach * scale
    traded = candles.volume > 0
    ease = np.full(len(candles), np.nan)
    ease[traded] = moved[traded] / candles.volume[traded]
    ease[1:][reach[1:] == 0] = 0.0
    return windows.rolling_sum(ease, period) / period


def _together(*lines: Float) -> Lines:
    """Return the lines from the candle on that has all of them, as TA-Lib's lines begin."""
    whole = ~np.isnan(lines).any(axis=0)
    return tuple(np.where(whole, line, np.nan) for line in lines)


def _earlier(values: Float, count: int) -> Float:
    """Return the values of `count` candles before."""
    moved = np.full(len(values), np.nan)
    moved[count:] = values[: len(values) - count]
    return moved
