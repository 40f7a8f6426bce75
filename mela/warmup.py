"""Warm-up: how many candles before a run's start are read."""

from __future__ import annotations

MIN_WARMUP = 64
MAX_WARMUP = 2**20  # candles: two years of minutes


def rounded_warmup(candles: int) -> int:
    """Round a warm-up up to a power of two, at least 64, so that a grid's runs read the same.

    >>> rounded_warmup(30), rounded_warmup(64), rounded_warmup(280)
    (64, 64, 512)
    """
    return max(MIN_WARMUP, 1 << (candles - 1).bit_length())
