"""The engine's indicators as features, begun anew at fixed instants.

Most indicators remember where they began, so that their values on the last candles differ from
those on the whole series. Here time is divided into blocks of as many candles as an indicator's
warm-up. For the candles of a block it begins at the opening of an earlier block, the last one with
the warm-up between. What it is on a candle follows from the clock and from the candles since, the
same in a backtest and live.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from backtests.indicators import INDICATORS, Indicator
from backtests.indicators.registry import no_such
from forecasts.features.definition import Float, Reading, feature
from mela.candles import Candles
from mela.fields import Part, Real
from mela.interval import Interval

LEAST_BLOCK = 64
MOST_WARMUP = 65_536
_PRICES = {"price": 1.0, "price change": 0.0}  # units that are told as shares of the close


class OfIndicator(Part):
    """One line of an indicator."""

    name: str = Field(examples=["adx"], description="one of those that `mela indicators` lists")
    parameters: tuple[Real, ...] = Field(
        default=(), description="in their order; those left out are at their defaults"
    )
    line: str | None = Field(default=None, description="of its lines; null: the first")

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        indicator = INDICATORS.get(self.name)
        if indicator is None:
            raise ValueError(no_such(self.name))
        if len(self.parameters) > len(indicator.parameters):
            raise ValueError(
                f"{self.name} takes {len(indicator.parameters)} parameters, but found "
                f"{len(self.parameters)}"
            )
        if self.line is not None and self.line not in [one.name for one in indicator.lines]:
            lines = ", ".join(one.name for one in indicator.lines)
            raise ValueError(f"{self.name} has the lines {lines}, but found {self.line!r}")
        for one, value in zip(indicator.parameters, self.parameters, strict=False):
            if isinstance(one.default, int) and not float(value).is_integer():
                raise ValueError(f"{self.name} takes a whole {one.name}, but found {value}")
        values = _parameters(self)
        for parameter, value in zip(indicator.parameters, values, strict=True):
            parameter.check(self.name, value)
        warmup = indicator.warmup(*values)
        if warmup is None:
            raise ValueError(f"{self.name} sums over all candles since they began; take another")
        if warmup > MOST_WARMUP:
            raise ValueError(f"{self.name} needs {warmup:,} candles before one; take a shorter one")
        return self


def _parameters(params: OfIndicator) -> tuple[float, ...]:
    known = INDICATORS[params.name].parameters
    given = (*params.parameters, *(one.default for one in known[len(params.parameters) :]))
    return tuple(
        int(value) if isinstance(one.default, int) else value
        for one, value in zip(known, given, strict=True)
    )


def _warmup(params: OfIndicator) -> int:
    indicator = INDICATORS[params.name]
    values = _parameters(params)
    return max(int(indicator.warmup(*values) or 0), int(indicator.lookback(*values)))


def _block(params: OfIndicator) -> int:
    return max(LEAST_BLOCK, _warmup(params))


def _window(params: OfIndicator) -> int:
    """Return the candles since an indicator's beginning: up to a block, the warm-up, and a block.

    One more tells that a block begins.
    """
    return _warmup(params) + 2 * _block(params) + 1


@feature(OfIndicator, window=_window)
def indicator(reading: Reading, params: OfIndicator) -> Float:
    """A line of an indicator; a price over the close, less 1; a price change over the close."""
    found = INDICATORS[params.name]
    names = [one.name for one in found.lines]
    place = names.index(params.line) if params.line else 0
    key = ("anchored", params.name, _parameters(params))
    lines = reading.once(key, lambda: anchored(reading.candles, found, params))
    values = lines[place]
    less = _PRICES.get(found.lines[place].unit)
    return values if less is None else values / reading.candles.close - less


def anchored(candles: Candles, found: Indicator, params: OfIndicator) -> tuple[Float, ...]:
    """Return the lines of an indicator, begun anew for each block; NaN without the warm-up."""
    values, warmup = _parameters(params), _warmup(params)
    lines = tuple(np.full(len(candles), np.nan) for _ in found.lines)
    starts = block_starts(candles, _block(params))
    for place, first in enumerate(starts):
        end = starts[place + 1] if place + 1 < len(starts) else len(candles)
        # a series' own first candle begins no block: whether one began before it is not known
        begin = starts[np.searchsorted(starts, first - warmup, side="right") - 1]
        if begin == 0 or first - begin < warmup:
            continue
        computed: Any = found.compute(candles.rows(int(begin), int(end)), *values)
        computed = computed if isinstance(computed, tuple) else (computed,)
        for line, part in zip(lines, computed, strict=True):
            line[first:end] = part[first - begin :]
    return lines


def block_starts(candles: Candles, block: int) -> NDArray[np.int64]:
    """Return the first bar of each block of time that has candles; the first of all is bar 0."""
    number = _numbers(candles) // block
    return np.flatnonzero(np.diff(number, prepend=number[:1] - 1)).astype(np.int64)


def _numbers(candles: Candles) -> NDArray[np.int64]:
    """Return how many intervals lie between 1970 and each opening."""
    fixed = candles.interval.fixed_ms
    if fixed is not None:
        return candles.opened_ms // fixed
    assert candles.interval is Interval.MO1  # noqa: S101
    return candles.opened_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
