"""Read the latest comparison of a session with the backtest of its candles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from mela.instants import from_ms, instant_text, to_ms
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.trading import session_view
from services.trading.answers import DriftLine, DriftReport
from warehouse.database import transaction
from warehouse.trading import drift as stored
from warehouse.trading.drift import StoredDrift, StoredLine

MOST_LINES = 500
NONE_YET = "no backtest of these candles was made yet: one is made each day, or by `mela drift`."


@dataclass(frozen=True, slots=True)
class Backtest:
    """The equity of the backtest of a session's candles, by account and opening of a candle.

    until: how far it was made; None where there is none, and why says so
    """

    equity: Mapping[int, Mapping[int, float]]
    until: datetime | None
    why: str | None


def read_drift(settings: Settings, caller: Caller, session_id: UUID) -> DriftReport | None:
    """Return the newest comparison of a session; None before the first. Raises NotFound.

    It is the one on the candles that the session decided on.
    """
    with transaction(settings) as connection:
        session_view.found(connection, caller, session_id)
        found = stored.newest(connection, session_id, "decided")
        if found is None:
            return None
        lines = stored.lines_of(connection, found, MOST_LINES)
    return _report(found, lines)


def read_backtest(connection: Connection, session_id: UUID) -> Backtest:
    """Return the backtest that a session was compared with last."""
    found = stored.newest(connection, session_id, "decided")
    if found is None:
        return Backtest({}, None, NONE_YET)
    if found.curve is None:
        return Backtest({}, None, found.why)
    curves: dict[str, list[tuple[int, float]]] = json.loads(found.curve)
    equity = {
        int(number): {point[0]: point[1] for point in curve} for number, curve in curves.items()
    }
    return Backtest(equity, found.end_at, None)


def summed(
    backtest: Backtest, rows: Sequence[Mapping[str, Any]], accounts: int, cash: float
) -> dict[int, float]:
    """Return the backtest's equity of all accounts together, where the session's is known.

    rows: account, opened_at and closed_at of the session's own values, in the order of closed_at
    cash: what each account opened with. Keys: closed_at in UTC milliseconds
    """
    if backtest.until is None:
        return {}
    now = dict.fromkeys(range(accounts), cash)
    found: dict[int, float] = {}
    for row in rows:
        if row["opened_at"] >= backtest.until:
            continue
        value = backtest.equity.get(row["account"], {}).get(to_ms(row["opened_at"]))
        if value is not None:
            now[row["account"]] = value
        found[to_ms(row["closed_at"])] = sum(now.values())
    return found


def _report(found: StoredDrift, lines: Sequence[StoredLine]) -> DriftReport:
    difference = None
    if found.equity is not None and found.equity_backtest is not None:
        difference = found.equity - found.equity_backtest
    return DriftReport(
        made_at=found.made_at or found.end_at,
        start=found.start_at,
        end=found.end_at,
        state=found.state,
        why=found.why,
        trades_ours=found.trades,
        trades_backtest=found.trades_backtest,
        missed=found.missed,
        extra=found.extra,
        differing=found.differing,
        profit_difference=difference,
        bound=found.bound,
        lines=tuple(map(_line, lines)),
    )


def _line(one: StoredLine) -> DriftLine:
    kind = one.kind if one.kind in ("missed", "extra") else "differs"
    why = one.why if one.cause == "unknown" else f"{one.cause.replace('_', ' ')}: {one.why}"
    is_instant = one.what in ("entry", "exit")
    return DriftLine(
        kind=kind,
        instrument=one.instrument,
        entered_at=one.entry_at,
        what=one.what,
        ours=_shown(one.ours, is_instant=is_instant),
        backtest=_shown(one.backtest, is_instant=is_instant),
        why=why,
    )


def _shown(value: float | None, *, is_instant: bool) -> str | None:
    if value is None:
        return None
    return instant_text(from_ms(int(value))) if is_instant else repr(value)
