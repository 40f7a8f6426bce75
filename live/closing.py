"""One position that the kill switch closes, so that nobody sells more than is held.

Its orders have ids in one sequence: whoever carries a switch out for the session, this process or a
command beside it, looks the next id up before it sends, and a broker takes an id once. A position
is told late by brokers, so what these orders have filled counts against what was held before.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass, field

from live.broker_hub import prefix_of
from live.broker_requests import patiently
from live.brokers.protocol import (
    Broker,
    BrokerBusy,
    BrokerOrder,
    BrokerRefused,
    IdUsed,
    OrderRequest,
    Side,
    Unanswered,
)
from warehouse.trading.sessions import StoredSession

CALM_S = 1.0  # a position is believed that has not changed for so long
SETTLED_S = 5.0  # the same where somebody else closed, or an earlier try, whose fills may be untold
DOUBT_S = 1.0  # an order that nobody answered may be on its way for so long
WAIT_S, LONGEST_S = 0.5, 5.0  # after a refusal
BEYOND = 0.01  # of the price, where a session does not say how far its limits lie beyond it
NEAR = 1e-9  # units; brokers round to so much
OPEN = ("accepted", "partly_filled")


@dataclass
class Closing:
    """Closes one instrument of one session.

    most: what the session itself holds at most, signed, by its record; None where all that the
        account has of the instrument is the session's
    faults: what a broker said against it, and what a person must know
    """

    session: StoredSession
    instrument: str
    most: float | None = None
    held: float = 0.0
    price: float = math.nan  # the last one, as the broker told it
    faults: list[str] = field(default_factory=list[str])
    _attempt: int = 0
    _filled: float = 0.0  # by orders of the sequence that are over
    _resting: BrokerOrder | None = None
    _is_walked: bool = False
    _first: float = 0.0  # what had been filled at the first look
    _before: float = 0.0  # the same when `_base` was told
    _base: float | None = None
    _hoped: tuple[float, float] | None = None  # a base that has not been told for long yet
    _told: float = 0.0
    _changed: float = 0.0
    _calm_s: float = CALM_S
    _not_before: float = 0.0
    _wait_s: float = WAIT_S

    async def step(self, broker: Broker, told: float, *, may_send: bool) -> float:
        """Go one step on; return what is still held, signed.

        told: the account's position, asked for before; may_send: no other order of the session is
            open, which would keep units from being closed
        """
        if not told and not self._attempt and self._resting is None:
            self._base, self._changed = None, time.monotonic()
            self.held = 0.0
            return 0.0
        if abs(told - self._told) > NEAR or not may_send:
            self._told, self._changed = told, time.monotonic()
        is_new = await self._walk(broker)
        if self._base is None:
            self._begin(told, is_new=is_new)
        self.held = self._held(told)
        units = self._units(told)
        if units > NEAR and may_send and time.monotonic() >= self._not_before:
            await self._send(broker, "sell" if told > 0 else "buy", units)
        return self.held

    @property
    def number(self) -> str:
        """Return the id of the next order of the sequence."""
        digest = hashlib.sha256(self.instrument.encode()).hexdigest()[:8]
        return f"{closing_prefix(self.session)}{digest}-{self._attempt}"

    def words(self) -> str | None:
        """Return why it is not closed though orders were sent, where that is so."""
        if not self.held:
            return None
        if self._resting is not None:
            return f"{self.instrument}: the order that closes it is at the broker and not filled"
        if self._base is not None and self._all_filled > self._before:
            return (
                f"{self.instrument}: orders of the kill switch were filled, and the broker has not "
                "told another position yet; nothing is sold twice, so look there and run it again"
            )
        return None

    @property
    def _all_filled(self) -> float:
        return self._filled + (self._resting.filled_units if self._resting is not None else 0.0)

    def _begin(self, told: float, *, is_new: bool) -> None:
        """Settle from which position on what is filled counts, once one can be believed.

        Where somebody else closes at the same time, that is the one told before the first fill.
        """
        if is_new and self._hoped is not None:
            self._base, self._before = self._hoped
        elif time.monotonic() - self._changed >= self._calm_s:
            self._base, self._before = told, self._all_filled
        elif self._calm_s == CALM_S:
            self._hoped = told, self._all_filled

    async def _walk(self, broker: Broker) -> bool:
        """Look the sequence up from where it was; tell whether something of it is new."""
        before = self._attempt, self._all_filled
        while True:
            number = self.number
            self._resting = found = await patiently(lambda: broker.lookup(number))  # noqa: B023
            if found is None or found.state in OPEN:
                break
            self._resting = None
            self._filled += found.filled_units
            self._attempt += 1
        is_new = before != (self._attempt, self._all_filled) or self._resting is not None
        if is_new:
            self._changed = time.monotonic()
        if not self._is_walked:
            self._first, self._is_walked = self._all_filled, True
            # where somebody began before us, what is told may lack its fills
            self._calm_s = SETTLED_S if is_new else CALM_S
        return is_new

    def _own(self, told: float) -> float:
        """Return what of a position is this session's and not closed yet, unsigned."""
        if self.most is None:
            return abs(told)
        is_other, filled = told * self.most <= 0.0, self._all_filled - self._first
        return 0.0 if is_other else max(0.0, min(abs(told), abs(self.most) - filled))

    def _held(self, told: float) -> float:
        own = self._own(told)
        return (own if told > 0 else -own) if own > NEAR else 0.0

    def _units(self, told: float) -> float:
        """Return what to close now: what was held, less what is closed of it, told or not."""
        if self._base is None or self._resting is not None or told * self._base <= 0.0:
            return 0.0
        self._base = max(self._base, told) if told > 0 else min(self._base, told)
        return min(self._own(told), abs(self._base) - (self._all_filled - self._before))

    async def _send(self, broker: Broker, side: str, units: float) -> None:
        which = "sell" if side == "sell" else "buy"
        try:
            await broker.submit(self._request(which, units))
        except IdUsed:
            pass  # somebody else sent it: the next look tells what became of it
        except Unanswered as error:  # looked up before it is sent again, under the same id
            self._say(str(error))
            self._not_before = time.monotonic() + DOUBT_S
        except (BrokerRefused, BrokerBusy) as error:
            self._say(str(error))
            asked = error.retry_after_s if isinstance(error, BrokerBusy) else None
            self._not_before = time.monotonic() + (asked or self._wait_s)
            self._wait_s = min(2 * self._wait_s, LONGEST_S)

    def _request(self, side: Side, units: float) -> OrderRequest:
        """Return a market order; outside the session a limit, where its hours are traded too."""
        told = json.loads(self.session.document)
        if told.get("sessions") != "extended":
            return OrderRequest(self.number, self.instrument, side, units)
        beyond = float(told.get("broker", {}).get("beyond", BEYOND))
        limit = self.price * (1.0 + beyond if side == "buy" else 1.0 - beyond)
        return OrderRequest(
            self.number,
            self.instrument,
            side,
            units,
            limit_price=limit,
            is_extended_hours=True,
        )

    def _say(self, why: str) -> None:
        words = f"{self.instrument}: {why}"
        if words not in self.faults:
            self.faults.append(words)


def closing_prefix(session: StoredSession) -> str:
    """Return how the ids of the orders begin by which kill switches close what a session holds."""
    return f"{prefix_of(session.session_id)}-kill-"
