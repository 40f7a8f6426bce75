"""Find the input candles that a run rests on, and whether some of them were missing."""

from __future__ import annotations

from datetime import UTC, datetime

from backtests.candles.coverage import coverage_warnings
from backtests.context import AlignedInput, StrategyContext
from mela.inputs import Input
from mela.instants import to_ms
from mela.run import Run

INPUTS_INCOMPLETE = "inputs_incomplete"


def inputs_depend_from_ms(context: StrategyContext, run: Run) -> int | None:
    """Return when the first input candle opened that a run rests on.

    returns: None where some were missing, so that any candle before the end may change the answer
    """
    own_end_ms = to_ms(run.end)
    first: list[int] = []
    for name, one in context.inputs.items():
        if not _is_complete(one, run.inputs[name], to_ms(run.start), own_end_ms):
            return None
        first.append(int(one.candles.opened_ms[0]))
    return min(first, default=own_end_ms)


def _is_complete(one: AlignedInput, declared: Input, start_ms: int, end_ms: int) -> bool:
    candles = one.candles
    if len(candles) == 0 or candles.start_bar < declared.candles_needed:
        return False
    until_ms = _last_open_ms(candles.interval.fixed_ms, end_ms) + 1
    if until_ms <= start_ms:
        return True
    if candles.start_bar == len(candles):
        return False
    return not coverage_warnings(candles, start_ms, until_ms)


def _last_open_ms(length_ms: int | None, end_ms: int) -> int:
    """Return the latest time at which a candle can open that has closed by the end."""
    if length_ms is not None:
        return end_ms - length_ms
    month = datetime.fromtimestamp(end_ms / 1000, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return to_ms(month) - 1
