"""Sessions that share one account of a broker: together they count on no more than it has.

Who was started first is served first. A session that the account's cash does not reach for, beside
what earlier ones count on, does not start; where cash is taken out later, the last one halts.
"""

from __future__ import annotations

import json
import math

from live.outside import Outside
from warehouse.trading.sessions import StoredSession


async def cash_before(outside: Outside, session: StoredSession) -> float:
    """Return the cash that sessions started earlier count on in the account of a session."""
    under_way = await outside.blocking(outside.journal.under_way)
    return math.fsum(
        _counted(outside, one)
        for one in under_way
        if (one.broker, one.money) == (session.broker, session.money)
        and (one.created_at, one.session_id) < (session.created_at, session.session_id)
    )


def _counted(outside: Outside, session: StoredSession) -> float:
    """Return the cash that a session has by its log, or what it will begin with."""
    known = outside.brokers.counted(session.money, session.session_id)
    return allotted(session) if known is None else known


def allotted(session: StoredSession) -> float:
    """Return the cash that a session begins with: that of each of its accounts."""
    accounts = len(session.instruments) if session.mode == "each" else 1
    return accounts * float(json.loads(session.document).get("cash", session.cash))
