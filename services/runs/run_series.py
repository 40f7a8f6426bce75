"""Candles and equity of a run, reduced to what a screen can show with its extremes kept."""

from __future__ import annotations

import math
import queue
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.charts.view import drawdowns, held, telling_points
from mela.candles import Candles
from mela.errors import CandlesMissing, InputInvalid
from mela.execution_terms import Costs
from mela.instants import from_ms, to_ms
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.runs.run_detail import RunHead, instants_of, run_head
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.results import curves

Float = NDArray[np.float64]
Int = NDArray[np.int64]
KEPT_BYTES = 96 * 2**20  # of curves, in each process
READERS, READER_BYTES = 3, 32 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class ReducedCandles:
    """Candles of [start, end). columns: t (of the opening, ms), o, h, l, c, v.

    total: how many there were before `candles_per_point` were merged into each
    """

    instrument: str
    interval: str
    start: datetime
    end: datetime
    total: int
    candles_per_point: int
    columns: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ReducedEquity:
    """Equity at the instants that tell most: the highest and lowest of each part of the span.

    hold: of all cash in at the first open, costs as in the run; None of several instruments, or
        where the candles are no longer those of the run
    """

    total: int
    t: Int
    equity: Float
    drawdown: Float
    hold: Float | None


@dataclass(frozen=True, slots=True, eq=False)
class WholeEquity:
    """Equity at the close of each candle, and beside it; see ReducedEquity."""

    opened_ms: Int
    equity: Float
    drawdown: Float
    hold: Float | None


_curves: OrderedDict[str, WholeEquity] = OrderedDict()
_lock = threading.Lock()
_readers: list[tuple[Settings, queue.Queue[CandleReader]]] = []  # settings have no hash


def reduced_candles(
    settings: Settings,
    caller: Caller,
    run_key: str,
    *,
    points: int,
    start: datetime | None = None,
    end: datetime | None = None,
    instrument: str | None = None,
) -> ReducedCandles:
    """Return the candles of a run's span, or of a part of it, at most `points` of them.

    They are adjusted as the run read them. Parts that are merged begin at the same candles wherever
    the span begins, so that a chart can be moved without a flicker.
    Raises NotFound, InputInvalid for an instrument that is none of the run's.
    """
    head = run_head(settings, caller, run_key)
    names = head.document["instruments"]
    name = names[0] if instrument is None else instrument
    if name not in names:
        raise InputInvalid("instrument", f"expected one of {', '.join(names)}, but found {name!r}.")
    candles = candles_of(settings, head, name)
    first, last = _places(candles.opened_ms, start, end)
    total = last - first
    count = max(1, math.ceil(total / points))
    first -= first % count
    return ReducedCandles(
        instrument=name,
        interval=head.document["interval"],
        start=from_ms(int(candles.opened_ms[first])) if total else instants_of(head.document)[0],
        end=from_ms(candles.interval.end_ms(int(candles.opened_ms[last - 1])))
        if total
        else instants_of(head.document)[1],
        total=total,
        candles_per_point=count,
        columns=merged(candles, first, last, count),
    )


def merged(candles: Candles, first: int, last: int, count: int) -> dict[str, NDArray[Any]]:
    """Return each `count` of the candles [first, last) as one.

    returns: t of the first, its open, the highest high, the lowest low, the last close, all volume
    """
    chosen = slice(first, last)
    opened, closes = candles.opened_ms[chosen], candles.close[chosen]
    starts = np.arange(0, len(opened), count)
    ends = np.append(starts[1:], len(opened)) - 1
    if not len(opened):
        return {name: np.empty(0, np.int64 if name == "t" else np.float64) for name in "tohlcv"}
    return {
        "t": opened[starts],
        "o": candles.open[chosen][starts],
        "h": np.maximum.reduceat(candles.high[chosen], starts),
        "l": np.minimum.reduceat(candles.low[chosen], starts),
        "c": closes[ends],
        "v": np.add.reduceat(candles.volume[chosen], starts),
    }


def reduced_equity(
    settings: Settings,
    caller: Caller,
    run_key: str,
    *,
    points: int,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[RunHead, ReducedEquity | None]:
    """Return the equity of a run, or of a part of its span; None where no curve is stored.

    Raises NotFound.
    """
    head = run_head(settings, caller, run_key)
    if not head.has_curve:
        return head, None
    whole = whole_equity(settings, head)
    first, last = _places(whole.opened_ms, start, end)
    part = slice(first, last)
    lines = [whole.equity[part], whole.drawdown[part]]
    if whole.hold is not None:
        lines.append(np.nan_to_num(whole.hold[part]))
    total = last - first
    shown = (
        telling_points(lines, max(1, points // (2 * len(lines))))
        if total > points
        else np.arange(total)
    )
    return head, ReducedEquity(
        total=total,
        t=whole.opened_ms[part][shown],
        equity=whole.equity[part][shown],
        drawdown=whole.drawdown[part][shown],
        hold=None if whole.hold is None else whole.hold[part][shown],
    )


def whole_equity(settings: Settings, head: RunHead) -> WholeEquity:
    """Return the stored equity of a run. Those looked at last are kept in memory."""
    with _lock:
        if (kept := _curves.get(head.result_key)) is not None:
            _curves.move_to_end(head.result_key)
            return kept
    with transaction(settings) as connection:
        opened, equity = curves.equity(connection, head.result_key)
    found = WholeEquity(
        opened,
        equity,
        drawdowns(equity, float(head.document["cash"])),
        _held(settings, head, opened),
    )
    with _lock:
        _curves[head.result_key] = found
        while sum(map(_size, _curves.values())) > KEPT_BYTES and len(_curves) > 1:
            _curves.popitem(last=False)
    return found


def candles_of(settings: Settings, head: RunHead, instrument: str) -> Candles:
    """Return the candles of a run's span as the run read them, without warm-up.

    Empty where there are none any more.
    """
    start, end = instants_of(head.document)
    with borrowed_reader(settings) as reader:
        read = reader.read(
            instrument, head.document["interval"], start, end, 0, head.document["prices"]
        )
    return read.candles


def _held(settings: Settings, head: RunHead, opened: Int) -> Float | None:
    if len(head.document["instruments"]) > 1:
        return None
    try:
        candles = candles_of(settings, head, head.document["instruments"][0])
    except CandlesMissing:
        return None
    if len(candles) < len(opened) or not np.array_equal(candles.opened_ms[: len(opened)], opened):
        return None
    costs = Costs.model_validate(head.document["costs"])
    return held(candles, float(head.document["cash"]), costs)[: len(opened)]


def _places(opened: Int, start: datetime | None, end: datetime | None) -> tuple[int, int]:
    first = 0 if start is None else int(np.searchsorted(opened, to_ms(start)))
    last = len(opened) if end is None else int(np.searchsorted(opened, to_ms(end)))
    return first, max(first, last)


def _size(curve: WholeEquity) -> int:
    return curve.equity.nbytes * (3 if curve.hold is None else 4)


@contextmanager
def borrowed_reader(settings: Settings) -> Generator[CandleReader]:
    """Yield a reader that no other thread uses meanwhile."""
    with _lock:
        pool = _pool_of(settings)
    reader = pool.get()
    try:
        yield reader
    finally:
        pool.put(reader)


def _pool_of(settings: Settings) -> queue.Queue[CandleReader]:
    """Return the readers of equal settings, made when they are asked for first."""
    for known, pool in _readers:
        if known is settings or known == settings:
            return pool
    pool = queue.Queue[CandleReader]()
    for _ in range(READERS):
        pool.put(CandleReader(settings, READER_BYTES))
    _readers.append((settings, pool))
    return pool
