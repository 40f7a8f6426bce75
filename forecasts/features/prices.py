"""Features of the price alone: returns, where it stands in its window, how straight it goes."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from backtests.indicators.talib_functions import talib
from forecasts.features.columns import log_close, log_of, log_returns, share, shifted
from forecasts.features.definition import Float, Reading, feature
from forecasts.features.sums import LOG_LEVEL, LOG_RETURN, window_mean, window_moments, window_slope
from mela.fields import Part, Whole


class Span(Part):
    """How far a feature looks back."""

    span: Whole = Field(default=24, ge=1, le=4096, description="candles looked back")


class Window(Part):
    """How many candles a feature averages."""

    span: Whole = Field(default=24, ge=2, le=4096, description="candles in the window")


class Nothing(Part):
    """No parameters."""


@feature(Span, window=lambda params: params.span)
def returns(reading: Reading, params: Span) -> Float:
    """Logarithm of the close over the one `span` candles before."""
    close = log_close(reading)
    return close - shifted(close, params.span)


@feature(Nothing, window=lambda _: 1)
def gap(reading: Reading, _params: Nothing) -> Float:
    """Logarithm of the open over the close before."""
    return log_of(reading, "open") - shifted(log_close(reading), 1)


@feature(Nothing, window=lambda _: 0)
def body(reading: Reading, _params: Nothing) -> Float:
    """Close less open as a share of the candle's range; 0 for a candle without range."""
    candles = reading.candles
    return share(candles.close - candles.open, candles.high - candles.low, 0.0)


@feature(Nothing, window=lambda _: 0)
def upper_shadow(reading: Reading, _params: Nothing) -> Float:
    """High above the body as a share of the candle's range; 0 for a candle without range."""
    candles = reading.candles
    top = np.maximum(candles.open, candles.close)
    return share(candles.high - top, candles.high - candles.low, 0.0)


@feature(Nothing, window=lambda _: 0)
def lower_shadow(reading: Reading, _params: Nothing) -> Float:
    """Low under the body as a share of the candle's range; 0 for a candle without range."""
    candles = reading.candles
    bottom = np.minimum(candles.open, candles.close)
    return share(bottom - candles.low, candles.high - candles.low, 0.0)


@feature(Window, window=lambda params: params.span - 1)
def place(reading: Reading, params: Window) -> Float:
    """Where the close lies from lowest low, 0, to highest high, 1; 0.5 where these are one."""
    candles = reading.candles
    if len(candles) < params.span:
        return np.full(len(candles), np.nan)
    low = talib.MIN(candles.low, params.span)
    return share(candles.close - low, talib.MAX(candles.high, params.span) - low, 0.5)


@feature(Window, window=lambda params: params.span - 1)
def drawdown(reading: Reading, params: Window) -> Float:
    """Logarithm of the close over the highest close of the window, at most 0."""
    close = log_close(reading)
    if len(close) < params.span:
        return np.full(len(close), np.nan)
    return close - talib.MAX(close, params.span)


@feature(Window, window=lambda params: params.span - 1)
def runup(reading: Reading, params: Window) -> Float:
    """Logarithm of the close over the lowest close of the window, at least 0."""
    close = log_close(reading)
    if len(close) < params.span:
        return np.full(len(close), np.nan)
    return close - talib.MIN(close, params.span)


@feature(Window, window=lambda params: params.span - 1)
def distance_from_mean(reading: Reading, params: Window) -> Float:
    """Logarithm of the close less the mean of such logarithms over the window."""
    close = log_close(reading)
    return close - window_mean(close, params.span, LOG_LEVEL)


@feature(Window, window=lambda params: params.span - 1)
def zscore(reading: Reading, params: Window) -> Float:
    """That distance in deviations (ddof 1) of the window; 0 where all its closes are equal."""
    close = log_close(reading)
    mean, variance = window_moments(close, params.span, LOG_LEVEL)
    return share(close - mean, np.sqrt(variance), 0.0)


@feature(Window, window=lambda params: params.span - 1)
def slope(reading: Reading, params: Window) -> Float:
    """Slope per candle of the straight line through the window's logarithms of closes."""
    return window_slope(log_close(reading), params.span, LOG_LEVEL)


@feature(Window, window=lambda params: params.span)
def efficiency(reading: Reading, params: Window) -> Float:
    """Way that the price came as a share of the way that it went, -1 to 1; 0 where it stood still.

    Source: Perry Kaufman, "Trading Systems and Methods" (1978), signed.
    """
    moved = log_returns(reading)
    way = window_mean(np.abs(moved), params.span, LOG_RETURN)
    return share(window_mean(moved, params.span, LOG_RETURN), way, 0.0)


@feature(Window, window=lambda params: params.span)
def rsi(reading: Reading, params: Window) -> Float:
    """Rises as a share of all moves over the window, 0 to 1, by plain sums; 0.5 without a move.

    Source: David Cutler's form of Wilder's index, which has no memory beyond its window.
    """
    moved = log_returns(reading)
    way = window_mean(np.abs(moved), params.span, LOG_RETURN)
    return 0.5 + 0.5 * share(window_mean(moved, params.span, LOG_RETURN), way, 0.0)


@feature(Window, window=lambda params: params.span)
def rising(reading: Reading, params: Window) -> Float:
    """Share of the window's candles whose close is above the one before."""
    moved = log_returns(reading)
    up = np.where(np.isnan(moved), np.nan, (moved > 0).astype(np.float64))
    return window_mean(up, params.span, 1.0)


@feature(Window, window=lambda params: params.span + 1)
def autocorrelation(reading: Reading, params: Window) -> Float:
    """Mean product of each return with the one before over the mean square, about -1 to 1."""
    moved = log_returns(reading)
    products = window_mean(moved * shifted(moved, 1), params.span, LOG_RETURN)
    return share(products, window_mean(moved * moved, params.span, LOG_RETURN), 0.0)
