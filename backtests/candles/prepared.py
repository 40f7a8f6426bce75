"""What all runs over the same candles share: computed once, read by each."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.coverage import coverage_warnings
from backtests.candles.scan import rises, survey
from backtests.indicators import Indicators
from backtests.kernel.ledger import BLOCK
from backtests.metrics import (
    benchmark_returns,
    block_bounds,
    period_ends,
    periods_per_year,
    years,
)
from mela.candles import Candles
from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, Interval
from mela.run import Run, to_ms

SPANS_KEPT = 4


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The candles of [start, end) and their warm-up, checked, and what follows from them alone.

    candles: columns contiguous, aligned, native and read-only: one type for the compiled kernels
    lasting_ms: how long a candle lasts
    idle: whether some candles have no volume, in a series that has volumes: they fill nothing
    lowest, highest: (⌈n / 32⌉,) float64, the least and greatest close of each 32 bars
    ends: (m,) int64, the last bar of each period of returns; empty where the span has no candle
    benchmark: (m,) float64, the returns of holding in the same periods, costs left out
    block_bounds: (17,) int64, where in the periods each block of the span begins
    depends_from_ms: None where warm-up or candles are missing
    first_ms, last_ms, first_open, last_close: of the span; None and NaN where it has no candle
    """

    candles: Candles
    indicators: Indicators
    lasting_ms: int
    idle: bool
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    ends: NDArray[np.int64]
    benchmark: NDArray[np.float64]
    block_bounds: NDArray[np.int64]
    periods_per_year: float
    years: float
    warmup_missing: int
    depends_from_ms: int | None
    warnings: tuple[str, ...]
    first_ms: int | None
    last_ms: int | None
    first_open: float
    last_close: float

    @property
    def bars(self) -> int:
        """Return how many candles the span has, warm-up left out."""
        return len(self.candles) - self.candles.start_bar


class Spans:
    """The spans of one candle series, prepared once for all runs that read the same candles.

    The last few are kept, with the indicators that were computed on them.
    """

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        # Where times do not rise no span can be cut, so that every run meets the check of the whole
        self._rises = rises(read_only(candles.opened_ms, np.int64))
        self._kept: OrderedDict[tuple[Any, ...], Span | Exception] = OrderedDict()

    def of(self, run: Run) -> Span | Exception:
        """Return the span that a run reads, or what is wrong with its candles."""
        key = (run.interval, run.start, run.end, run.warmup)
        if key not in self._kept:
            self._kept[key] = self._prepare(run)
            while len(self._kept) > SPANS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _prepare(self, run: Run) -> Span | Exception:
        candles = self._candles
        try:
            if run.interval != candles.interval:
                raise CandlesInvalid(
                    f"expected {run.interval} candles, but found {candles.interval} ones"
                )
            if not self._rises:
                candles.check()
            return span_of(candles, run)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with candles fails their runs
            return error


def span_of(candles: Candles, run: Run) -> Span:
    """Cut a run's candles out of the series and prepare them.

    Raises CandlesInvalid for candles that break a law, or are of another interval than the run's.
    """
    start_ms, end_ms = to_ms(run.start), to_ms(run.end)
    part = _prepared(candles.span(start_ms, end_ms, run.warmup))
    lasting = lasting_ms(part.interval)
    ends = np.empty(len(part), dtype=np.int64)
    lowest, highest = np.empty((2, -(-len(part) // BLOCK)))
    seen = survey(
        part.opened_ms,
        part.open,
        part.high,
        part.low,
        part.close,
        part.volume,
        part.start_bar,
        part.interval.fixed_ms or 0,
        ends,
        lowest,
        highest,
    )
    if not seen.holds:
        part.check()  # says which law is broken, and where
    empty = part.start_bar == len(part)
    missing = run.warmup - part.start_bar
    even = seen.uneven == 0
    warnings = () if empty else coverage_warnings(part, start_ms, end_ms, even=even)
    ends = ends[: seen.days].copy() if part.interval.is_intraday else period_ends(part)
    return Span(
        candles=part,
        indicators=Indicators(part),
        lasting_ms=lasting,
        idle=seen.volumes and seen.silent,
        lowest=lowest,
        highest=highest,
        ends=ends,
        benchmark=benchmark_returns(part, ends),
        block_bounds=block_bounds(part.opened_ms[part.start_bar + ends], start_ms, end_ms),
        periods_per_year=periods_per_year(part),
        years=years(part),
        warmup_missing=missing,
        depends_from_ms=None if empty or missing or warnings else int(part.opened_ms[0]),
        warnings=warnings,
        first_ms=None if empty else int(part.opened_ms[part.start_bar]),
        last_ms=None if empty else int(part.opened_ms[-1]),
        first_open=math.nan if empty else float(part.open[part.start_bar]),
        last_close=math.nan if empty else float(part.close[-1]),
    )


def lasting_ms(interval: Interval) -> int:
    """Return how long a candle lasts; a month counts as a twelfth of 365.25 days."""
    return interval.fixed_ms or int(365.25 * DAY_MS / 12)


def _prepared(candles: Candles) -> Candles:
    prices = {
        name: read_only(getattr(candles, name), np.float64)
        for name in ("open", "high", "low", "close", "volume")
    }
    return replace(candles, opened_ms=read_only(candles.opened_ms, np.int64), **prices)


def read_only(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return an array as the kernels take it: contiguous, aligned, native, not writable.

    It copies only what is not so already; the array given stays writable.
    """
    flags = values.flags
    if values.dtype == dtype and flags.c_contiguous and flags.aligned:
        if not flags.writeable:
            return values
        view = values.view()
    else:
        view = np.require(values, dtype, ["C_CONTIGUOUS", "ALIGNED"]).view()
    view.flags.writeable = False
    return view
