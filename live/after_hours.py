"""Orders before and after the session of a stock, where a broker takes limits of the day alone."""

from __future__ import annotations

import math

from live.account import Place, Trading
from live.orders import Order, OrderKind
from mela.market_hours import has_hours_around, is_open


class AfterHours:
    """When orders of an account leave outside the session, and at which limit.

    beyond: how far beyond the last close the limit of a market order lies, as a fraction; None
        where no broker outside has the account
    """

    def __init__(self, place: Place, trading: Trading, beyond: float | None) -> None:
        run, self._calendar, self._beyond = place.run, trading.calendar, beyond
        is_asked = run.sessions == "extended" and run.interval.is_intraday and beyond is not None
        self._is_asked = is_asked and has_hours_around(trading.calendar)

    def are_on(self, at_ms: int) -> bool:
        """Tell whether an order that leaves at an instant must be one for these hours."""
        return self._is_asked and is_open(self._calendar, float(at_ms)) == 0.0

    def limit(self, kind: OrderKind, side: float, level: float, close: float) -> float | None:
        """Return the limit of an order that leaves in these hours; None for one that cannot.

        level: of a limit order; close: the last one, beyond which that of a market order lies
        """
        if kind == "stop" or self._beyond is None:
            return None
        return level if kind == "limit" else close * (1.0 + side * self._beyond)

    def are_over_for(self, order: Order, close: float, at_ms: int) -> str:
        """Return why a market order that left in these hours is to be given anew, nothing if not.

        The session takes it as it is, and a market that moved away takes it at another limit.
        """
        if order.kind != "market" or order.outside is None:
            return ""
        if not self.are_on(at_ms):
            return "the session is open: a market order follows"
        side = 1.0 if order.side == "buy" else -1.0
        limit = self.limit("market", side, math.nan, close)
        has_moved = limit is not None and side * (limit - order.outside) > 0.0
        return "the market has moved away from its limit" if has_moved else ""
