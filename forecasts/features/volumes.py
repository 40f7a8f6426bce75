"""Features of the volume, in logarithms, so that units and sizes cancel."""

from __future__ import annotations

import numpy as np

from forecasts.features.columns import log_returns, log_volume, share, shifted
from forecasts.features.definition import Float, Reading, feature
from forecasts.features.prices import Window
from forecasts.features.sums import (
    LOG_LEVEL,
    LOG_RETURN,
    window_comoments,
    window_mean,
    window_moments,
)
from forecasts.features.volatility import ShortAndLong


@feature(Window, window=lambda params: params.span - 1)
def volume_zscore(reading: Reading, params: Window) -> Float:
    """Distance of the volume's logarithm from its mean, in deviations; 0 where all are equal."""
    volume = log_volume(reading)
    mean, variance = window_moments(volume, params.span, LOG_LEVEL)
    return share(volume - mean, np.sqrt(variance), 0.0)


@feature(ShortAndLong, window=lambda params: params.long - 1)
def volume_trend(reading: Reading, params: ShortAndLong) -> Float:
    """Mean of the volume's logarithm over a short window less that over a long one."""
    volume = log_volume(reading)
    short = window_mean(volume, params.short, LOG_LEVEL)
    return short - window_mean(volume, params.long, LOG_LEVEL)


@feature(Window, window=lambda params: params.span)
def volume_correlation(reading: Reading, params: Window) -> Float:
    """Correlation of returns with changes of the volume's logarithm; 0 where one stands still."""
    volume = log_volume(reading)
    changes = volume - shifted(volume, 1)
    return correlation_of(
        *window_comoments(log_returns(reading), changes, params.span, LOG_RETURN, LOG_LEVEL)
    )


def correlation_of(variance: Float, variance_2: Float, covariance: Float) -> Float:
    """Return the correlation, -1 to 1, 0 where a variance is 0."""
    found = share(covariance, np.sqrt(variance * variance_2), 0.0)
    return np.clip(found, -1.0, 1.0, out=found)
