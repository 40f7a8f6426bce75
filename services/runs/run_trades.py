"""The trades of a run: pages, marks for a chart, a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from mela.curve import Trade, trade_documents
from mela.instants import instant_text, to_ms
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.cursors import cursor_of, place_of
from services.runs.run_detail import RunHead, head_in, run_head
from services.runs.run_series import WholeEquity, whole_equity
from warehouse.database import transaction
from warehouse.results import curves, one_run
from warehouse.results.lineage import lineage_of
from warehouse.results.one_run import TradeRead, TradeSort

_PLACE = TypeAdapter(tuple[float, int])
_FIELDS = (
    "seq", "instrument", "side", "entry_at", "exit_at", "entry_price", "exit_price", "size",
    "profit", "return", "fees", "slippage", "borrow", "mae", "mfe", "bars", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TradeOfRun:
    """A trade. return_: profit over the value at entry; bars: candles from entry to exit."""

    seq: int
    instrument: str
    side: str
    entry_at: datetime
    exit_at: datetime
    entry_price: float
    exit_price: float
    size: float
    pnl: float
    return_: float
    fees: float
    slippage: float | None
    borrow: float | None
    mae: float | None
    mfe: float | None
    bars: int
    reason: str


@dataclass(frozen=True, slots=True)
class TradePage:
    """A page of trades."""

    has_curve: bool
    without_curve: str | None
    items: tuple[TradeOfRun, ...]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class TradeMarks:
    """Entries and exits as columns. total: those that touch the span, before they were thinned."""

    has_curve: bool
    total: int
    trades: tuple[TradeRead, ...]


def list_trades(
    settings: Settings,
    caller: Caller,
    run_key: str,
    *,
    sort: TradeSort = "entry_at",
    falls: bool = False,
    limit: int = 100,
    cursor: str | None = None,
    from_seq: int | None = None,
    instrument: str | None = None,
) -> TradePage:
    """Return a page of a run's trades. Raises NotFound, and InputInvalid for a cursor.

    from_seq: begin at this trade
    """
    after = place_of(cursor, _PLACE)
    with transaction(settings) as connection:
        head = head_in(connection, caller, run_key)
        if not head.has_curve:
            return TradePage(False, head.without_curve, (), None, 0)
        found = one_run.trades(
            connection,
            head.result_key,
            sort=sort,
            falls=falls,
            most=limit + 1,
            after=after,
            from_seq=from_seq,
            instrument=instrument,
        )
        total = one_run.count_trades(connection, head.result_key, instrument)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = cursor_of((shown[-1][0], shown[-1][1].seq), _PLACE)
    whole = whole_equity(settings, head)
    items = tuple(of_run(trade, whole) for _, trade in shown)
    return TradePage(True, None, items, following, total)


def marks(
    settings: Settings,
    caller: Caller,
    run_key: str,
    *,
    points: int,
    start: datetime | None = None,
    end: datetime | None = None,
    instrument: str | None = None,
) -> TradeMarks:
    """Return the trades that touch [start, end); of too many, those with most profit or loss.

    Raises NotFound.
    """
    with transaction(settings) as connection:
        head = head_in(connection, caller, run_key)
        if not head.has_curve:
            return TradeMarks(False, 0, ())
        found, total = one_run.marked_trades(
            connection,
            head.result_key,
            start=start,
            end=end,
            most=points,
            instrument=instrument,
        )
    return TradeMarks(True, total, tuple(found))


def trades_csv(settings: Settings, caller: Caller, run_key: str) -> Iterator[str]:
    """Return the trades of a run as lines of CSV. Raises NotFound."""
    head = run_head(settings, caller, run_key)
    return _lines(settings, head)


def whole_run(settings: Settings, caller: Caller, run_key: str) -> Mapping[str, Any]:
    """Return all that is stored of a run: document, lineage, trades, equity. Raises NotFound.

    equity: columns of every candle; t in UTC milliseconds
    """
    with transaction(settings) as connection:
        head = head_in(connection, caller, run_key)
        found = lineage_of(connection, head.result_key)
        trades: Sequence[Trade] = ()
        if head.has_curve and (stored := curves.curve(connection, head.result_key)):
            trades = stored.trades
    whole = whole_equity(settings, head) if head.has_curve else None
    return {
        "result": head.document,
        "lineage": [] if found is None else [_series(one) for one in found.series],
        "has_curve": head.has_curve,
        "without_curve": head.without_curve,
        "trades": trade_documents(trades, head.document["instruments"][0]),
        "equity": None if whole is None else _columns(whole),
    }


def of_run(trade: TradeRead, whole: WholeEquity) -> TradeOfRun:
    """Return a trade with what follows from its run."""
    first, last = np.searchsorted(whole.opened_ms, [to_ms(trade.entry_at), to_ms(trade.exit_at)])
    return TradeOfRun(
        seq=trade.seq,
        instrument=trade.instrument,
        side="short" if trade.size < 0 else "long",
        entry_at=trade.entry_at,
        exit_at=trade.exit_at,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        size=trade.size,
        pnl=trade.profit,
        return_=trade.return_ or 0.0,
        fees=trade.fees,
        slippage=trade.slippage,
        borrow=trade.borrow,
        mae=trade.mae,
        mfe=trade.mfe,
        bars=int(last - first),
        reason=trade.exit_reason,
    )


def _lines(settings: Settings, head: RunHead) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(_FIELDS)
    yield line.getvalue()
    if not head.has_curve:
        return
    whole = whole_equity(settings, head)
    with transaction(settings) as connection:
        found = one_run.all_trades(connection, head.result_key)
    for trade in found:
        one = of_run(trade, whole)
        line.seek(0)
        line.truncate()
        writer.writerow(
            (
                *(one.seq, one.instrument, one.side),
                *(instant_text(one.entry_at), instant_text(one.exit_at)),
                *(one.entry_price, one.exit_price, one.size, one.pnl, one.return_),
                *(one.fees, one.slippage, one.borrow, one.mae, one.mfe, one.bars, one.reason),
            )
        )
        yield line.getvalue()


def _series(one: Any) -> dict[str, Any]:
    return {
        "instrument": one.instrument,
        "interval": one.interval,
        "revision": one.revision,
        "start": instant_text(one.start),
        "end": instant_text(one.end),
        "loads": [dict(batch) for batch in one.batches],
        "revisions": [dict(revision) for revision in one.revisions],
    }


def _columns(whole: WholeEquity) -> dict[str, Any]:
    return {
        "t": whole.opened_ms,
        "equity": whole.equity,
        "drawdown": whole.drawdown,
        "buy_and_hold": whole.hold,
    }
