"""The context of a strategy: its instrument, its interval, and further series.

An input gives candles of a higher interval or of another instrument. They are joined by the time
at which they close: on each candle a strategy sees the last candle of an input that had closed when
its own closed, and no other (docs/strategies.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.indicators import Indicators
from mela.calendars import NO_SESSION, closes_ms
from mela.candles import Candles
from mela.errors import CandlesMissing
from mela.inference import infer
from mela.inputs import Input
from mela.instrument import Instrument, load_command
from mela.interval import Interval

Float = NDArray[np.float64]
Int = NDArray[np.int64]
NONE_CLOSED = -1


@dataclass(frozen=True, eq=False)
class AlignedInput:
    """The candles of one input, and which of them is the last that had closed on each candle.

    instrument: whose candles they are, as venue:symbol
    candles: the input's own, m of them, all closed when the last candle of the run closes
    bars: (n,) int64, for each candle of the run the last candle of the input that had closed by
        then; -1 before the first one
    """

    instrument: str
    candles: Candles
    bars: Int

    @cached_property
    def indicators(self) -> Indicators:
        """Return indicators computed on the input's own candles; `aligned` brings them over."""
        return Indicators(self.candles)

    def aligned(self, values: NDArray[np.generic]) -> Float:
        """Return values of the input's candles as they were known on each candle of the run.

        values: (m,) numbers or flags, one for each candle of the input
        returns: (n,) float64, NaN before the first candle of the input has closed
        Raises ValueError for another number of values.
        """
        if np.shape(values) != (len(self.candles),):
            raise ValueError(
                f"expected one value for each of the {len(self.candles):,} candles of the input "
                f"{self.instrument} {self.candles.interval}, but found {np.shape(values)}; "
                "compute it from the input's own candles or indicators"
            )
        found = np.empty(len(self.bars))
        begin = int(np.searchsorted(self.bars, 0))  # bars never fall, and are -1 before it
        found[:begin] = np.nan
        found[begin:] = np.take(values, self.bars[begin:])
        found.flags.writeable = False
        return found

    @cached_property
    def open(self) -> Float:
        """Return the open of the last closed candle of the input, (n,) float64."""
        return self.aligned(self.candles.open)

    @cached_property
    def high(self) -> Float:
        """Return the high of the last closed candle of the input, (n,) float64."""
        return self.aligned(self.candles.high)

    @cached_property
    def low(self) -> Float:
        """Return the low of the last closed candle of the input, (n,) float64."""
        return self.aligned(self.candles.low)

    @cached_property
    def close(self) -> Float:
        """Return the close of the last closed candle of the input, (n,) float64."""
        return self.aligned(self.candles.close)

    @cached_property
    def volume(self) -> Float:
        """Return the volume of the last closed candle of the input, (n,) float64."""
        return self.aligned(self.candles.volume)


@dataclass(frozen=True, eq=False)
class StrategyContext:
    """The context that a strategy may read beside its candles.

    instrument: what it trades: name, kind, quote, calendar, tick, lot and multiplier where known
    interval: of the candles that it decides on
    inputs: the series that it declared, by name
    """

    instrument: Instrument
    interval: Interval
    inputs: Mapping[str, AlignedInput]

    def on(self, candles: Candles) -> StrategyContext:
        """Return the same context on fewer candles of the run: inputs end where these do."""
        return replace(
            self,
            inputs={
                name: align(candles, one.instrument, one.candles)
                for name, one in self.inputs.items()
            },
        )


def context_of(
    candles: Candles,
    instrument: str,
    inputs: Mapping[str, Input],
    since_ms: int | None = None,
    *,
    may_be_empty: bool = False,
) -> StrategyContext:
    """Return what a strategy may see beside these candles.

    candles: the run's own, with the series of its inputs in `inputs`
    since_ms: the run's start, from which the warm-up of inputs is counted; None reads all there is
    may_be_empty: whether candles of an input may still be to come, as in a session
    Raises CandlesMissing where no candle of an input was read.
    """
    found: dict[str, AlignedInput] = {}
    for name, one in inputs.items():
        key = one.instrument or instrument, one.interval or candles.interval
        series = candles.inputs.get(key)
        if series is None or (len(series) == 0 and not may_be_empty):
            raise CandlesMissing(
                f"the input {name} reads {key[1]} candles of {key[0]}, but none were found. Load "
                f"them first: {load_command(*key)}"
            )
        if since_ms is not None and len(series):
            series = series.span(since_ms, int(series.opened_ms[-1]) + 1, one.candles_needed)
        found[name] = align(candles, key[0], series)
    return StrategyContext(_instrument(instrument, candles), candles.interval, found)


def align(candles: Candles, instrument: str, series: Candles) -> AlignedInput:
    """Join a series with the candles of a run, by the time at which each candle closes."""
    closed = np.maximum.accumulate(candle_closes_ms(series))
    bars = last_by(closed, candle_closes_ms(candles))
    bars.flags.writeable = False
    known = int(bars.max()) + 1 if len(bars) else 0
    return AlignedInput(instrument, _first(series, known), bars)


@njit(cache=True, nogil=True)
def last_by(closed_ms: Int, at_ms: Int) -> Int:
    """Return the last of rising times at or before each of further times, -1 before all.

    These nearly always rise, too, so that each is found beside the one before; a search would take
    a look for each power of two.
    """
    found, known = np.empty(len(at_ms), np.int64), 0
    for place in range(len(at_ms)):
        while known < len(closed_ms) and closed_ms[known] <= at_ms[place]:
            known += 1
        while known > 0 and closed_ms[known - 1] > at_ms[place]:
            known -= 1
        found[place] = known - 1
    return found


def candle_closes_ms(candles: Candles) -> Int:
    """Return when candles close: with their session, where their market has sessions."""
    ends = candles.interval.ends_ms(candles.opened_ms)
    try:
        closes = closes_ms(candles.calendar, candles.interval, candles.opened_ms)
    except ValueError:  # a market whose hours are not known
        return ends
    return np.where(closes == NO_SESSION, ends, closes)


def _first(series: Candles, count: int) -> Candles:
    return series if count == len(series) else series.rows(0, count)


def _instrument(name: str, candles: Candles) -> Instrument:
    known = candles.about or infer(name)
    return replace(
        known,
        calendar=candles.calendar,
        tick=candles.tick,
        lot=candles.lot,
        multiplier=candles.multiplier,
    )
