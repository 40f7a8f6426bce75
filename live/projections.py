"""Rows of the tables beside the log that follow from derived events."""

from __future__ import annotations

import json
import math
from typing import Any

from live.events import (
    Derived,
    FillBooked,
    Intended,
    Judged,
    OrderChanged,
    StateChanged,
    Traded,
    Valued,
)
from live.orders import Order
from mela.instants import from_ms
from warehouse.trading.log import Rows

_WORSE = ("active", "reducing", "halted")
RiskStates = dict[int, tuple[str, str]]


def project(rows: Rows, seq: int, event: Derived, risk: RiskStates, took_us: float) -> None:
    """Add what follows from an event.

    risk: the state of each account and why, by its number; changed here. took_us: how long the
    engine took for the input that it follows from
    """
    match event:
        case Intended(order=order) | OrderChanged(order=order):
            rows.orders[order.client_order_id] = _order(order, seq)
        case FillBooked():
            rows.fills.append(_fill(event, seq))
        case Traded():
            rows.trades.append(_trade(event, seq))
            # what is held anew on the same candle is told by the value that follows
            at = from_ms(event.exit_ms)
            rows.positions[event.instrument] = (event.instrument, 0.0, None, None, None, None, at)
        case Valued():
            _value(rows, event)
        case Judged():
            rows.verdicts.append(_verdict(event, seq, took_us))
        case StateChanged(what="session", account=-1):
            rows.state = (event.state, event.why or None)
        case StateChanged(what="risk"):
            risk[event.account] = (event.state, event.why)
            state, why = worst(risk)
            rows.risk_state = (state, why or None)
        case _:
            pass


def worst(risk: RiskStates) -> tuple[str, str]:
    """Return the state of a session's risk: the worst of its accounts', and why."""
    return max(risk.values(), key=lambda one: _WORSE.index(one[0]), default=("active", ""))


def _order(order: Order, seq: int) -> tuple[Any, ...]:
    return (
        order.client_order_id,
        order.broker_order_id or None,
        order.instrument,
        order.side,
        order.leg,
        order.kind,
        order.reason,
        known(order.level),
        known(order.units),
        order.filled_units,
        known(order.average_price),
        order.fees,
        from_ms(order.candle_ms),
        order.state.value,
        order.why or None,
        from_ms(order.intended_ms),
        from_ms(order.changed_ms or order.intended_ms),
        seq,
    )


def _fill(event: FillBooked, seq: int) -> tuple[Any, ...]:
    return (
        event.fill_id,
        event.client_order_id,
        event.instrument,
        event.side,
        event.units,
        event.price,
        event.fee,
        from_ms(event.at_ms),
        seq,
    )


def _trade(event: Traded, seq: int) -> tuple[Any, ...]:
    return (
        seq,
        event.instrument,
        from_ms(event.entry_ms),
        from_ms(event.exit_ms),
        event.size,
        event.entry_price,
        event.exit_price,
        event.fees,
        event.profit,
        event.exit_reason,
        known(event.slippage),
        known(event.borrow),
        known(event.mae),
        known(event.mfe),
    )


def _value(rows: Rows, event: Valued) -> None:
    at = from_ms(event.at_ms)
    rows.equity.append((event.account, from_ms(event.opened_ms), at, event.equity, event.cash))
    for held in event.positions:
        rows.positions[held.instrument] = (
            held.instrument,
            held.units,
            known(held.average_price),
            known(held.price),
            known(held.value),
            at if held.units else None,
            at,
        )


def _verdict(event: Judged, seq: int, took_us: float) -> tuple[Any, ...]:
    saw = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in event.saw.items()
    }
    return (
        seq,
        event.instrument,
        from_ms(event.candle_ms),
        event.is_allowed,
        event.code,
        json.dumps(saw),
        known(event.units),
        known(event.granted_units),
        took_us,
    )


def known(value: float) -> float | None:
    """Return a number, or None for one that is none."""
    return value if math.isfinite(value) else None
