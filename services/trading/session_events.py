"""The events of sessions for the stream. It is read from the store, never from a message."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from mela.settings import Settings
from services.accounts.accounts import Caller, Role
from services.trading.answers import SessionRow, SessionTold
from services.trading.session_view import row_of
from warehouse.database import transaction
from warehouse.trading import sessions
from warehouse.trading.sessions import CHANGED, StoredSession

__all__ = ["CHANGED", "read", "snapshot"]
_MOST = 200  # sessions that a page shows at once
_NOBODY = Caller(0, 0, "", Role.VIEWER, frozenset(), "session")


def read(settings: Settings, session_ids: Iterable[UUID]) -> list[SessionTold]:
    """Return how some sessions are now; those that are not there are left out."""
    with transaction(settings) as connection:
        known = [sessions.get(connection, session_id) for session_id in session_ids]
        return [_told(one, row_of(connection, _NOBODY, one)) for one in known if one is not None]


def snapshot(settings: Settings, caller: Caller) -> list[SessionTold]:
    """Return how the newest sessions are now that a caller may see."""
    viewer = None if caller.role is Role.ADMIN else caller.user_id
    with transaction(settings) as connection:
        known = sessions.page(
            connection, viewer=viewer, state=None, words=None, before=None, most=_MOST
        )
        return [_told(one, row_of(connection, caller, one)) for one in known]


def _told(one: StoredSession, row: SessionRow) -> SessionTold:
    return SessionTold(
        session_id=row.session_id,
        version=row.version,
        state=row.state,
        why=row.why,
        risk_state=row.risk_state,
        risk_why=row.risk_why,
        equity=row.equity,
        day_profit=row.day_profit,
        positions=row.positions,
        open_orders=row.open_orders,
        trades=row.trades,
        last_candle_at=row.last_candle_at,
        heard_at=row.heard_at,
        beat_at=row.beat_at,
        user_id=one.user_id,
        is_private=one.is_private,
        has_ended=one.has_ended,
    )
