"""The values that all runs over the same candles share: computed once, read by each."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.coverage import coverage_warnings
from backtests.candles.input_coverage import INPUTS_INCOMPLETE, inputs_depend_from_ms
from backtests.candles.scan import Surveyed, rises, scan_candles
from backtests.context import StrategyContext, context_of
from backtests.indicators import Indicators
from backtests.kernel.excursions import window_extremes
from backtests.kernel.ledger import CLOSES_PER_BLOCK
from backtests.metrics import (
    benchmark_returns,
    block_bounds,
    has_utc_days,
    period_ends,
    periods_per_year,
    years,
)
from mela.candles import Candles
from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, Interval
from mela.run import Run, to_ms

CALENDAR_INFERRED = "calendar_inferred"
SPANS_KEPT = 4


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCandles:
    """The candles of [start, end) and their warm-up, checked, and what follows from them alone.

    candles: columns contiguous, aligned, native and read-only: one type for the compiled kernels
    lasting_ms: how long a candle lasts
    quiet_from: the first bar that has a volume, behind which some candles have none: these fill
        nothing. What comes before it fills, as nobody knows there that the series has volumes; n
        where no candle fills nothing
    lowest, highest: (⌈n / 32⌉,) float64, the least and greatest close of each 32 bars
    tops, bottoms: (n,) float64, the greatest high and the least low of each bar and 7 behind it
    ends: (m,) int64, the last bar of each period of returns; empty where the span has no candle
    benchmark: (m,) float64, the returns of holding in the same periods, costs left out
    block_bounds: (17,) int64, where in the periods each block of the span begins
    depends_from_ms: None where warm-up or candles are missing
    first_ms, last_ms, first_open, last_close: of the span; None and NaN where it has no candle
    context: what a strategy with inputs may see; None for a run without inputs
    """

    candles: Candles
    indicators: Indicators
    lasting_ms: int
    quiet_from: int
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    tops: NDArray[np.float64]
    bottoms: NDArray[np.float64]
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
    context: StrategyContext | None = None

    @property
    def bars(self) -> int:
        """Return how many candles the span has, warm-up left out."""
        return len(self.candles) - self.candles.start_bar


class PreparedCache:
    """The spans of one candle series, prepared once for all runs that read the same candles.

    The last few are kept, with the indicators that were computed on them.
    """

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        # Where times do not rise no span can be cut, so that every run meets the check of the whole
        self._rises = rises(read_only(candles.opened_ms, np.int64))
        self._kept: OrderedDict[tuple[Any, ...], PreparedCandles | Exception] = OrderedDict()
        self._with_inputs: OrderedDict[tuple[Any, ...], PreparedCandles | Exception] = OrderedDict()

    def of(self, run: Run, instrument: str | None = None) -> PreparedCandles | Exception:
        """Return the span that a run reads, or what is wrong with its candles.

        instrument: whose candles these are; None for the run's first
        """
        key = (run.interval, run.start, run.end, run.warmup)
        span = _kept(self._kept, key, lambda: self._prepare(run))
        if not run.inputs or isinstance(span, Exception) or span.bars == 0:
            return span
        name = instrument or run.instrument
        key = (*key, name, frozenset(run.inputs.items()))
        return _kept(self._with_inputs, key, lambda: _joined(span, run, name))

    def _prepare(self, run: Run) -> PreparedCandles | Exception:
        candles = self._candles
        try:
            if run.interval != candles.interval:
                raise CandlesInvalid(
                    f"expected {run.interval} candles, but found {candles.interval} ones"
                )
            if not self._rises:
                candles.check()
            return prepare_candles(candles, run)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with candles fails their runs
            return error


def _kept(
    kept: OrderedDict[tuple[Any, ...], PreparedCandles | Exception],
    key: tuple[Any, ...],
    prepare: Callable[[], PreparedCandles | Exception],
) -> PreparedCandles | Exception:
    if key not in kept:
        kept[key] = prepare()
        while len(kept) > SPANS_KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def _joined(span: PreparedCandles, run: Run, instrument: str) -> PreparedCandles | Exception:
    """Return a span with its inputs joined, or what is wrong with their candles."""
    try:
        context = context_of(span.candles, instrument, run.inputs, to_ms(run.start))
        for name, one in context.inputs.items():
            try:
                one.candles.check()
            except CandlesInvalid as error:
                raise CandlesInvalid(f"the input {name} ({one.instrument}): {error}") from error
    except Exception as error:  # noqa: BLE001 - whatever is wrong with candles fails their runs
        return error
    depends = inputs_depend_from_ms(context, run)
    if span.depends_from_ms is not None and depends is not None:
        return replace(span, context=context, depends_from_ms=min(span.depends_from_ms, depends))
    warnings = span.warnings if depends is not None else (*span.warnings, INPUTS_INCOMPLETE)
    return replace(span, context=context, depends_from_ms=None, warnings=warnings)


def prepare_candles(candles: Candles, run: Run) -> PreparedCandles:
    """Cut a run's candles out of the series and prepare them.

    Raises CandlesInvalid for candles that break a law, or are of another interval than the run's.
    """
    start_ms, end_ms = to_ms(run.start), to_ms(run.end)
    part = _prepared(candles.span(start_ms, end_ms, run.warmup))
    lasting = lasting_ms(part.interval)
    ends = np.empty(len(part), dtype=np.int64)
    lowest, highest = np.empty((2, -(-len(part) // CLOSES_PER_BLOCK)))
    seen = scan_candles(
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
    tops, bottoms = window_extremes(part.high, part.low)
    empty = part.start_bar == len(part)
    missing = run.warmup - part.start_bar
    even = seen.uneven == 0
    warnings = () if empty else coverage_warnings(part, start_ms, end_ms, even=even)
    depends = None if empty or missing or warnings else int(part.opened_ms[0])
    if part.about is not None and part.about.how("calendar") == "inferred":
        warnings = (*warnings, CALENDAR_INFERRED)
    ends = ends[: seen.days].copy() if has_utc_days(part) else period_ends(part)
    return PreparedCandles(
        candles=part,
        indicators=Indicators(part),
        lasting_ms=lasting,
        quiet_from=_quiet_from(part, seen),
        lowest=lowest,
        highest=highest,
        tops=tops,
        bottoms=bottoms,
        ends=ends,
        benchmark=benchmark_returns(part, ends),
        block_bounds=block_bounds(part.opened_ms[part.start_bar + ends], start_ms, end_ms),
        periods_per_year=periods_per_year(part),
        years=years(part),
        warmup_missing=missing,
        depends_from_ms=depends,
        warnings=warnings,
        first_ms=None if empty else int(part.opened_ms[part.start_bar]),
        last_ms=None if empty else int(part.opened_ms[-1]),
        first_open=math.nan if empty else float(part.open[part.start_bar]),
        last_close=math.nan if empty else float(part.close[-1]),
    )


def _quiet_from(candles: Candles, seen: Surveyed) -> int:
    if not (seen.volumes and seen.silent):
        return len(candles)
    loud = candles.volume > 0.0
    first = int(loud.argmax())
    return len(candles) if loud[first:].all() else first


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
