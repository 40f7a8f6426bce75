"""Adjust prices for the splits and dividends that a scene may know of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mela.errors import CandlesInvalid

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Event(NamedTuple):
    """A corporate action. effective_ms is 00:00 UTC of its date."""

    kind: Literal["split", "dividend"]
    effective_ms: int
    value: float


class Factors(NamedTuple):
    """Per candle: the divisor of its prices for splits, and their multiplier for dividends."""

    split: Float
    dividend: Float


def factors(opened_ms: Int, close: Float, events: Sequence[Event]) -> Factors:
    """Return the adjustment factors of (n,) candles; an event affects those that opened before.

    opened_ms: UTC milliseconds, rising; close: unadjusted
    events: those that the reader may know of, effective before the scene's end

    A split divides by new shares per old share. A dividend multiplies by 1 − dividend / the close
    before it; if a split falls between the two, that close is converted to the later shares.
    Raises CandlesInvalid for a dividend that is not below that close.

    >>> factors(np.array([0, 10]), np.array([8.0, 2.0]), [Event("split", 10, 4.0)]).split.tolist()
    [4.0, 1.0]

    Source: CRSP, Data Definitions, "Factor to Adjust Price"; Yahoo Help SLN28256, "Adjusted close".
    """
    split, dividend = np.ones(len(opened_ms)), np.ones(len(opened_ms))
    for event in events:
        before = int(np.searchsorted(opened_ms, event.effective_ms))
        if event.kind == "split":
            split[:before] *= event.value
        elif before:
            last_ms = int(opened_ms[before - 1])
            reference = float(close[before - 1]) / _shares(events, last_ms, event.effective_ms)
            dividend[:before] *= _kept(event, reference)
    return Factors(split, dividend)


def _shares(events: Sequence[Event], after_ms: int, until_ms: int) -> float:
    shares = 1.0
    for event in events:
        if event.kind == "split" and after_ms < event.effective_ms <= until_ms:
            shares *= event.value
    return shares


def _kept(event: Event, reference: float) -> float:
    if event.value >= reference:
        day = np.datetime64(event.effective_ms, "ms").astype("datetime64[D]")
        raise CandlesInvalid(
            f"a dividend must be below the close before it, but that of {day} is {event.value} "
            f"after a close of {reference}"
        )
    return 1.0 - event.value / reference
