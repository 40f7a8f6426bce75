"""Features of volatility: per candle, in logarithms, not annualised."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from forecasts.features.columns import log_close, log_of, log_returns, share, shifted
from forecasts.features.definition import Float, Reading, feature
from forecasts.features.prices import Window
from forecasts.features.sums import LOG_RETURN, window_mean, window_moments
from mela.fields import Part, Whole


@feature(Window, window=lambda params: params.span)
def volatility(reading: Reading, params: Window) -> Float:
    """Deviation (ddof 1) of the closes' logarithmic returns."""
    return np.sqrt(window_moments(log_returns(reading), params.span, LOG_RETURN)[1])


@feature(Window, window=lambda params: params.span - 1)
def parkinson(reading: Reading, params: Window) -> Float:
    """Volatility by the candles' ranges.

    Source: Michael Parkinson, "The Extreme Value Method …", Journal of Business 53 (1980).
    """
    reach = log_of(reading, "high") - log_of(reading, "low")
    return np.sqrt(window_mean(reach * reach, params.span, LOG_RETURN) / (4 * np.log(2)))


@feature(Window, window=lambda params: params.span - 1)
def garman_klass(reading: Reading, params: Window) -> Float:
    """Volatility by the candles' ranges and bodies.

    Source: Mark Garman and Michael Klass, Journal of Business 53 (1980), their σ̂²₅.
    """
    reach = log_of(reading, "high") - log_of(reading, "low")
    moved = log_close(reading) - log_of(reading, "open")
    each = 0.5 * reach * reach - (2 * np.log(2) - 1) * moved * moved
    return np.sqrt(np.maximum(window_mean(each, params.span, LOG_RETURN), 0.0))


@feature(Window, window=lambda params: params.span - 1)
def rogers_satchell(reading: Reading, params: Window) -> Float:
    """Volatility by the candles' prices, whatever their drift.

    Source: Rogers and Satchell, "Estimating variance …", Annals of Applied Probability 1 (1991).
    """
    opened, closed = log_of(reading, "open"), log_close(reading)
    high, low = log_of(reading, "high"), log_of(reading, "low")
    each = (high - opened) * (high - closed) + (low - opened) * (low - closed)
    return np.sqrt(np.maximum(window_mean(each, params.span, LOG_RETURN), 0.0))


@feature(Window, window=lambda params: params.span)
def true_range(reading: Reading, params: Window) -> Float:
    """Mean of the candles' true ranges, in logarithms."""
    before = shifted(log_close(reading), 1)
    top = np.maximum(log_of(reading, "high"), before)
    return window_mean(top - np.minimum(log_of(reading, "low"), before), params.span, LOG_RETURN)


@feature(Window, window=lambda params: params.span)
def downside_volatility(reading: Reading, params: Window) -> Float:
    """Root of the mean square of falls; rises count as 0."""
    falls = np.minimum(log_returns(reading), 0.0)
    return np.sqrt(window_mean(falls * falls, params.span, LOG_RETURN))


class ShortAndLong(Part):
    """Two windows."""

    short: Whole = Field(default=12, ge=2, le=4096, description="candles in the short window")
    long: Whole = Field(default=96, ge=3, le=4096, description="candles in the long one")

    @model_validator(mode="after")
    def _short_below_long(self) -> Self:
        if self.short >= self.long:
            raise ValueError(f"short must be below long, but {self.short} ≥ {self.long}")
        return self


@feature(ShortAndLong, window=lambda params: params.long)
def volatility_ratio(reading: Reading, params: ShortAndLong) -> Float:
    """Logarithm of the short window's volatility over the long one's; 0 where one is 0."""
    moved = log_returns(reading)
    short = window_moments(moved, params.short, LOG_RETURN)[1]
    long = window_moments(moved, params.long, LOG_RETURN)[1]
    ratio = share(short, long, 1.0)
    return 0.5 * np.log(np.where(ratio == 0, 1.0, ratio))
