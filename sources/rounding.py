"""Round away the noise that a vendor's arithmetic adds to a value, and nothing more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
MOST_DECIMALS = 15


def round_to_noise(values: Float, noise: Float) -> Float:
    """Round each value to the finest decimal step that is at least twice its noise.

    values: (n,) float64
    noise: (n,) float64 ≥ 0, the largest possible error of each value
    returns: (n,) float64; the exact value if it has no more decimals than the step

    >>> round_to_noise(np.array([645.5700073, 28.74995]), np.array([4e-5, 1.1e-4])).tolist()
    [645.57, 28.75]
    """
    decimals = decimals_of(noise)
    rounded = values.copy()
    for step in np.unique(decimals):
        chosen = decimals == step
        rounded[chosen] = [round(float(value), int(step)) for value in values[chosen]]
    return rounded


def decimals_of(noise: Float) -> NDArray[np.int64]:
    """Return the decimals to which values are rounded: (n,) float64 noise in, (n,) int64 out.

    >>> decimals_of(np.array([4e-5, 1.1e-4, 0.3])).tolist()
    [4, 3, 0]
    """
    step = np.fmax(2 * noise, 10.0**-MOST_DECIMALS)
    return np.clip(np.floor(-np.log10(step)), 0, MOST_DECIMALS).astype(np.int64)


def rounding_distance(noise: Float) -> Float:
    """Return how far two rounded readings of one value can differ if each has at most this noise.

    Each may be off by the noise plus half of the step that it is rounded to.

    >>> rounding_distance(np.array([4e-5])).round(6).tolist()
    [0.00018]
    """
    return 2 * noise + 10.0 ** -decimals_of(noise)
