"""Trading sessions: start and stop them, and read what they hold, ordered, did and were refused."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.trading import (
    DriftReport,
    FillList,
    FillRow,
    LogRow,
    OrderList,
    OrderRow,
    PositionList,
    PositionRow,
    SessionAsked,
    SessionCommand,
    SessionDrift,
    SessionEquity,
    SessionKill,
    SessionLog,
    SessionStateName,
    SessionToCheck,
    SessionToStart,
    SessionTrade,
    SessionTradeList,
    SessionValidation,
    TradingSessionDetail,
    TradingSessionList,
    TradingSessionRow,
    VerdictList,
    VerdictRow,
)
from mela.errors import InputInvalid
from services.trading import commands, rows, sessions

router = APIRouter(tags=["trading"])

SessionId = Annotated[UUID, Path(description="of a trading session")]
Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/trading/sessions", response_model=TradingSessionList)
def list_trading_sessions(
    caller: Reader,
    settings: AppSettings,
    state: SessionStateName | None = None,
    text: Annotated[str | None, Query(max_length=200, description="in name or instrument")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> TradingSessionList:
    """List the trading sessions that the caller may see, the newest first."""
    found = sessions.list_sessions(
        settings, caller, state=state, text=text, cursor=cursor, limit=limit
    )
    return TradingSessionList(
        items=tuple(TradingSessionRow.of(one) for one in found.items),
        next_cursor=found.next_cursor,
    )


@router.post("/trading/sessions/validate", response_model=SessionValidation)
def validate_trading_session(
    asked: SessionToCheck, caller: Reader, settings: AppSettings
) -> SessionValidation:
    """Say what is wrong with a session, by field. Nothing is started."""
    return SessionValidation.of(
        sessions.validate(settings, caller, _given(asked.session, asked.yaml))
    )


@router.post("/trading/sessions", status_code=201, response_model=TradingSessionRow)
def start_trading_session(
    asked: SessionToStart, caller: Trader, settings: AppSettings, request: Request
) -> TradingSessionRow:
    """Start a session as the caller's. One that trades money needs its name typed again."""
    started = sessions.start(
        settings,
        caller,
        _given(asked.session, asked.yaml),
        confirm=asked.confirm,
        is_private=asked.is_private,
    )
    request.state.audit_subject = str(started.session_id)
    request.state.audit_detail = {"name": started.name, "money": started.money}
    return TradingSessionRow.of(started)


@router.get("/trading/sessions/{session_id}", response_model=TradingSessionDetail)
def get_trading_session(
    session_id: SessionId, caller: Reader, settings: AppSettings
) -> TradingSessionDetail:
    """Read a session: how it is, what was asked, and what it was told to do lately."""
    found = sessions.get_session(settings, caller, session_id)
    return TradingSessionDetail(
        session=TradingSessionRow.of(found.row),
        document=dict(found.document),
        yaml=found.yaml,
        commands=tuple(SessionCommand.of(one) for one in found.commands),
    )


@router.post(
    "/trading/sessions/{session_id}/commands", status_code=202, response_model=SessionCommand
)
def command_trading_session(
    session_id: SessionId,
    asked: SessionAsked,
    caller: Trader,
    settings: AppSettings,
    request: Request,
) -> SessionCommand:
    """Let a session pause, go on, stop, or trade again; its process answers in the row.

    Its owner and admins may.
    """
    request.state.audit_detail = {"kind": asked.kind}
    return SessionCommand.of(commands.ask(settings, caller, session_id, asked.kind, why=asked.why))


@router.post("/trading/sessions/{session_id}/kill", status_code=202, response_model=SessionCommand)
def kill_trading_session(
    session_id: SessionId, asked: SessionKill, caller: Trader, settings: AppSettings
) -> SessionCommand:
    """Pull the kill switch of a session: cancel all, flatten if so asked, halt until a release.

    Its owner and admins may. `confirm` is the session's name.
    """
    return SessionCommand.of(
        commands.kill(settings, caller, session_id, confirm=asked.confirm, flatten=asked.flatten)
    )


@router.get("/trading/sessions/{session_id}/positions", response_model=PositionList)
def list_positions(session_id: SessionId, caller: Reader, settings: AppSettings) -> PositionList:
    """List what a session holds now."""
    found = rows.positions(settings, caller, session_id)
    return PositionList(items=tuple(PositionRow.of(one) for one in found.items))


@router.get("/trading/sessions/{session_id}/orders", response_model=OrderList)
def list_orders(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    only_open: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> OrderList:
    """List the orders of a session, the newest first."""
    found = rows.orders(
        settings, caller, session_id, only_open=only_open, cursor=cursor, limit=limit
    )
    return OrderList(
        items=tuple(OrderRow.of(one) for one in found.items), next_cursor=found.next_cursor
    )


@router.get("/trading/sessions/{session_id}/fills", response_model=FillList)
def list_fills(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> FillList:
    """List the fills of a session, the newest first."""
    found = rows.fills(settings, caller, session_id, cursor=cursor, limit=limit)
    return FillList(
        items=tuple(FillRow.of(one) for one in found.items), next_cursor=found.next_cursor
    )


@router.get("/trading/sessions/{session_id}/trades", response_model=SessionTradeList)
def list_session_trades(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> SessionTradeList:
    """List the round trips of a session, the newest first."""
    found = rows.trades(settings, caller, session_id, cursor=cursor, limit=limit)
    return SessionTradeList(
        items=tuple(SessionTrade.of(one) for one in found.items), next_cursor=found.next_cursor
    )


@router.get("/trading/sessions/{session_id}/verdicts", response_model=VerdictList)
def list_verdicts(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    only_refused: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> VerdictList:
    """List what the risk engine said of the orders of a session, the newest first."""
    found = rows.verdicts(
        settings, caller, session_id, only_refused=only_refused, cursor=cursor, limit=limit
    )
    return VerdictList(
        items=tuple(VerdictRow.of(one) for one in found.items), next_cursor=found.next_cursor
    )


@router.get("/trading/sessions/{session_id}/log", response_model=SessionLog)
def get_session_log(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    kind: Annotated[str | None, Query(max_length=60, description="of events")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> SessionLog:
    """Read the log of a session, the newest event first."""
    found = rows.log(settings, caller, session_id, kind=kind, cursor=cursor, limit=limit)
    return SessionLog(
        items=tuple(LogRow.of(one) for one in found.items), next_cursor=found.next_cursor
    )


@router.get("/trading/sessions/{session_id}/equity", response_model=SessionEquity)
def get_session_equity(
    session_id: SessionId,
    caller: Reader,
    settings: AppSettings,
    points: Annotated[int, Query(ge=2, le=10_000)] = 1_000,
) -> SessionEquity:
    """Read the equity of a session beside that of the backtest of its candles."""
    return SessionEquity.of(rows.equity(settings, caller, session_id, points=points))


@router.get("/trading/sessions/{session_id}/drift", response_model=SessionDrift)
def get_session_drift(session_id: SessionId, caller: Reader, settings: AppSettings) -> SessionDrift:
    """Read the newest comparison of a session with the backtest of its candles."""
    found = rows.drift(settings, caller, session_id)
    return SessionDrift(report=None if found is None else DriftReport.of(found))


def _given(session: dict[str, Any] | None, yaml: str | None) -> Any:
    """Return the document that was sent in one of two ways. Raises InputInvalid for none, both."""
    if (session is None) == (yaml is None):
        raise InputInvalid("session", "expected either `session` or `yaml`, and one of them.")
    return session if session is not None else sessions.read_yaml(yaml or "")
