"""A session's positions, orders, trades and refusals; its log and its equity."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from mela.instants import to_ms
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.cursors import cursor_of, place_of
from services.trading import drift as session_drift
from services.trading import session_view
from services.trading.answers import (
    DriftReport,
    EquityColumns,
    FillRow,
    LogRow,
    OrderRow,
    Page,
    PositionRow,
    TradeRow,
    VerdictRow,
)
from services.trading.session_view import number
from warehouse.database import transaction
from warehouse.trading import log as stored_log
from warehouse.trading import rows as stored

T = TypeVar("T")
_NUMBER = TypeAdapter(int)
_ORDER = TypeAdapter(tuple[datetime, str])


def positions(settings: Settings, caller: Caller, session_id: UUID) -> Page[PositionRow]:
    """Return what a session holds now. Raises NotFound."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        found = stored.positions(connection, session_id)
    return Page(tuple(map(_position, found)))


def orders(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    only_open: bool = False,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[OrderRow]:
    """Return orders, the newest first. Raises NotFound, and InputInvalid for a cursor."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        found = stored.orders(
            connection,
            session_id,
            only_open=only_open,
            before=place_of(cursor, _ORDER),
            most=limit + 1,
        )
    items = tuple(map(_order, found[:limit]))
    if len(found) <= limit:
        return Page(items)
    return Page(items, cursor_of((items[-1].intended_at, items[-1].client_order_id), _ORDER))


def fills(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[FillRow]:
    """Return fills, the newest first. Raises NotFound, and InputInvalid for a cursor."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        before = place_of(cursor, _NUMBER)
        found = stored.fills(connection, session_id, before=before, most=limit + 1)
    return _page(found, limit, _fill)


def trades(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[TradeRow]:
    """Return round trips, the newest first. Raises NotFound, and InputInvalid for a cursor."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        before = place_of(cursor, _NUMBER)
        found = stored.trades(connection, session_id, before=before, most=limit + 1)
    return _page(found, limit, _trade)


def verdicts(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    only_refused: bool = False,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[VerdictRow]:
    """Return what the risk engine said, the newest first. Raises NotFound and InputInvalid."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        found = stored.verdicts(
            connection,
            session_id,
            only_refused=only_refused,
            before=place_of(cursor, _NUMBER),
            most=limit + 1,
        )
    return _page(found, limit, _verdict)


def log(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    kind: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[LogRow]:
    """Return events of the log, the newest first. Raises NotFound and InputInvalid."""
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        before = place_of(cursor, _NUMBER)
        found = stored_log.newest(connection, session_id, before=before, kind=kind, most=limit + 1)
    items = tuple(LogRow(one.seq, one.at, one.kind, _json(one.document)) for one in found[:limit])
    if len(found) <= limit:
        return Page(items)
    return Page(items, cursor_of(items[-1].seq, _NUMBER))


def equity(
    settings: Settings, caller: Caller, session_id: UUID, *, points: int = 1000
) -> EquityColumns:
    """Return the equity of all accounts together, thinned to about so many points.

    An account without a candle at an instant is worth what it was worth before. Raises NotFound.
    """
    with transaction(settings) as connection:
        one = session_view.found(connection, caller, session_id)
        found = stored.equity(connection, session_id)
        backtest = session_drift.read_backtest(connection, session_id)
    count = session_view.accounts_of(one)
    now = dict.fromkeys(range(count), (one.cash, one.cash))
    summed: dict[int, tuple[float, float]] = {}
    for row in found:
        now[row["account"]] = (row["equity"], row["cash"])
        summed[to_ms(row["closed_at"])] = (
            sum(each[0] for each in now.values()),
            sum(each[1] for each in now.values()),
        )
    times = _thinned(sorted(summed), points)
    beside = session_drift.summed(backtest, found, count, one.cash)
    return EquityColumns(
        t=tuple(times),
        equity=tuple(summed[t][0] for t in times),
        cash=tuple(summed[t][1] for t in times),
        backtest=tuple(beside.get(t) for t in times),
        backtest_until=backtest.until,
        why_no_backtest=backtest.why,
    )


def drift(settings: Settings, caller: Caller, session_id: UUID) -> DriftReport | None:
    """Return the newest comparison of a session with the backtest of its candles. Raises NotFound.

    None before the first comparison.
    """
    return session_drift.read_drift(settings, caller, session_id)


def _thinned(times: Sequence[int], points: int) -> list[int]:
    """Return at most about so many of some instants, the first and the last among them."""
    if len(times) <= max(points, 2):
        return list(times)
    step = (len(times) - 1) / (max(points, 2) - 1)
    return [times[round(n * step)] for n in range(max(points, 2))]


def _page(
    found: Sequence[Mapping[str, Any]], limit: int, made: Callable[[Mapping[str, Any]], T]
) -> Page[T]:
    items = tuple(map(made, found[:limit]))
    if len(found) <= limit:
        return Page(items)
    return Page(items, cursor_of(found[limit - 1]["seq"], _NUMBER))


def _position(row: Mapping[str, Any]) -> PositionRow:
    average, price = number(row["average_price"]), number(row["price"])
    profit = None
    if average is not None and price is not None:
        profit = row["units"] * (price - average)
    return PositionRow(
        instrument=row["instrument"],
        units=row["units"],
        average_price=average or 0.0,
        price=price,
        value=number(row["value"]),
        profit=profit,
        entered_at=row["entered_at"],
    )


def _order(row: Mapping[str, Any]) -> OrderRow:
    return OrderRow(
        client_order_id=row["client_order_id"],
        broker_order_id=row["broker_order_id"],
        instrument=row["instrument"],
        side=row["side"],
        leg=row["leg"],
        kind=row["kind"],
        units=number(row["units"]) or 0.0,
        filled_units=row["filled_units"],
        average_price=number(row["average_price"]),
        state=row["state"],
        why=row["why"],
        intended_at=row["intended_at"],
        changed_at=row["changed_at"],
    )


def _fill(row: Mapping[str, Any]) -> FillRow:
    names = ("fill_id", "client_order_id", "instrument", "side", "units", "price", "fee")
    return FillRow(**{name: row[name] for name in names}, at=row["filled_at"])


def _trade(row: Mapping[str, Any]) -> TradeRow:
    return TradeRow(
        instrument=row["instrument"],
        direction="long" if row["size"] > 0 else "short",
        entered_at=row["entry_at"],
        exited_at=row["exit_at"],
        units=abs(row["size"]),
        entry_price=row["entry_price"],
        exit_price=row["exit_price"],
        fees=row["fees"],
        profit=row["profit"],
        reason=row["exit_reason"],
    )


def _verdict(row: Mapping[str, Any]) -> VerdictRow:
    saw = _json(row["saw"])
    return VerdictRow(
        at=row["at"],
        instrument=row["instrument"],
        is_allowed=row["is_allowed"],
        code=row["code"],
        sentence=sentence(row["code"], saw),
        saw=saw,
        units=number(row["units"]),
        granted_units=number(row["granted_units"]),
    )


def sentence(code: str, saw: Mapping[str, Any]) -> str:
    """Return a verdict in words.

    >>> sentence("open_orders", {"open_orders": 3.0, "limit": 2})
    'open orders: open orders 3, limit 2'
    """
    seen = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in saw.items())
    return f"{code.replace('_', ' ')}{': ' * bool(seen)}{seen}"


def _short(value: Any) -> str:
    return (
        f"{value:.6g}" if isinstance(value, float) else "unknown" if value is None else str(value)
    )


def _json(text: str) -> dict[str, Any]:
    """Return an object of JSON; numbers that are none become None, as JSON has no name for them."""
    found: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return found
