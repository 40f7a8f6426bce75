"""What a feature is, and the decorator that registers one.

The laws that every feature keeps, and that tests hold it to:

- causal: its value on a candle depends on candles that have closed when that one closes;
- windowed: it depends on at most `window(params)` candles before that one, so that the last
  `window + 1` candles give the same bits as the whole series. What is recursive begins anew at
  fixed instants (`forecasts.features.anchored`);
- NaN where it is undefined: too few candles, a division by nothing. A sample with a NaN is left
  out of training, and a forecast of a candle with a NaN is none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from backtests.context import candle_closes_ms
from mela.candles import Candles
from mela.inputs import Input

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Reading:
    """The candles of one instrument, and what several features need of them, computed once.

    candles: with the series of other instruments and intervals in `candles.inputs`
    instrument: whose candles they are, as venue:symbol
    """

    def __init__(self, candles: Candles, instrument: str) -> None:
        self.candles = candles
        self.instrument = instrument
        self._kept: dict[Any, Any] = {}

    @cached_property
    def closed_ms(self) -> Int:
        """Return when each candle closes, (n,) int64: what it tells is known from then on."""
        return candle_closes_ms(self.candles)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, made once for each key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


@dataclass(frozen=True, slots=True)
class Feature:
    """A registered feature.

    name: what training files call it
    doc: one sentence
    params: the pydantic model of its parameters
    window: validated params → how many candles before one its value depends on
    compute: (reading, validated params) → (n,) float64
    reads: (validated params) → further candle series that it reads, as a strategy's inputs
    """

    name: str
    doc: str
    params: type[BaseModel]
    window: Callable[[Any], int]
    compute: Callable[[Reading, Any], Float]
    reads: Callable[[Any], Mapping[str, Input]]


FEATURES: dict[str, Feature] = {}
Compute = Callable[[Reading, Any], Float]


def _reads_nothing(_params: Any) -> Mapping[str, Input]:
    return {}


def feature(
    params: type[BaseModel],
    *,
    window: Callable[[Any], int],
    reads: Callable[[Any], Mapping[str, Input]] = _reads_nothing,
) -> Callable[[Compute], Compute]:
    """Register a function as a feature under its own name. Raises ValueError for a taken name."""

    def register(compute: Compute) -> Compute:
        name = compute.__name__
        if name in FEATURES:
            raise ValueError(f"feature {name} is registered already; give it another name")
        doc = (inspect.getdoc(compute) or "").partition("\n")[0]
        FEATURES[name] = Feature(name, doc, params, window, compute, reads)
        return compute

    return register
